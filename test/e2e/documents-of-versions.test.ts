import { beforeAll, describe, expect, test } from 'vitest'
import { md5Base64 } from '../support/checksums.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { idOf, useStoredVersions } from '../support/stored-versions.ts'
import { useGateway } from '../support/fixture.ts'

/** Tags, retention and legal hold of one version: of the current one, of a superseded one, of a delete marker. */

const at = useStoredVersions()

const UNTIL = '2090-01-02T03:04:05Z'
interface Document {
  readonly name: string
  readonly body: string
  /** Text that tells that it is there. */
  readonly holds: string
  /** Of a GET where there is none. */
  readonly absent: readonly [status: number, code: string | undefined]
}
const DOCUMENTS: readonly Document[] = [
  {
    name: 'tagging',
    body: '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>',
    holds: '<Key>a</Key><Value>1</Value>',
    absent: [200, undefined],
  },
  {
    name: 'retention',
    body: `<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>${UNTIL}</RetainUntilDate></Retention>`,
    holds: UNTIL,
    absent: [400, 'NoSuchObjectLockConfiguration'],
  },
  {
    name: 'legal-hold',
    body: '<LegalHold><Status>ON</Status></LegalHold>',
    holds: '<Status>ON</Status>',
    absent: [400, 'NoSuchObjectLockConfiguration'],
  },
]

let bucket = ''
beforeAll(async () => {
  bucket = 'documents-of-versions'
  const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
  expect((await at.send('PUT', `/${bucket}`, { headers })).status).toBe(200)
})

function make(key: string): void {
  at.makeCurrent(bucket, key, { versionId: idOf(3) })
  at.makeSuperseded(bucket, key, { versionId: idOf(1) })
  at.makeSuperseded(bucket, key, { versionId: idOf(2), isMarker: true })
}

const ask = (
  method: string,
  key: string,
  name: string,
  more = '',
  body = '',
): Promise<RawResponse> =>
  at.send(
    method,
    `/${bucket}/${key}?${name}${more}`,
    body === '' ? {} : { body, headers: { 'Content-MD5': md5Base64(body) } },
  )
const of = (n: number): string => `&versionId=${idOf(n)}`
const outcome = ({ status, code }: RawResponse): unknown[] => [status, code]

describe.each(DOCUMENTS)('$name', ({ name, body, holds, absent }) => {
  test.each([1, 3])('of version %i is its own', async (n) => {
    const key = `${name}-${n}`
    make(key)
    const put = await ask('PUT', key, name, of(n), body)
    expect(outcome(put)).toEqual([200, undefined])
    for (const other of [1, 3]) {
      const got = await ask('GET', key, name, of(other))
      if (other === n) expect(got.text).toContain(holds)
      else expect(outcome(got)).toEqual(absent)
    }
    // Without an id the current one is meant.
    const current = await ask('GET', key, name)
    if (n === 3) expect(current.text).toContain(holds)
    else expect(outcome(current)).toEqual(absent)
    if (name !== 'tagging') return
    expect(put.header('x-amz-version-id')).toBe(idOf(n))
    const gone = await ask('DELETE', key, name, of(n))
    expect([gone.status, gone.header('x-amz-version-id')]).toEqual([204, idOf(n)])
    expect((await ask('GET', key, name, of(n))).text).not.toContain(holds)
  })

  test('a delete marker has none and can be given none, by its id or as the current one', async () => {
    const key = `${name}-marker`
    make(key)
    at.makeCurrent(bucket, `${key}-current`, { versionId: idOf(3), isMarker: true })
    for (const [method, sent] of [
      ['GET', ''],
      ['PUT', body],
      ...(name === 'tagging' ? [['DELETE', '']] : []),
    ] as const) {
      const byId = await ask(method, key, name, of(2), sent)
      const current = await ask(method, `${key}-current`, name, '', sent)
      expect([outcome(byId), outcome(current)]).toEqual([
        [405, 'MethodNotAllowed'],
        [405, 'MethodNotAllowed'],
      ])
    }
  })

  test('a version that is not there, and an id that is none', async () => {
    const key = `${name}-absent`
    make(key)
    for (const [method, sent] of [
      ['GET', ''],
      ['PUT', body],
    ] as const) {
      for (const id of [idOf(7), 'null']) {
        const unknown = await ask(method, key, name, `&versionId=${id}`, sent)
        expect(outcome(unknown)).toEqual([404, 'NoSuchVersion'])
      }
      const forged = await ask(method, key, name, '&versionId=../../x', sent)
      expect([...outcome(forged), forged.element('ArgumentName')]).toEqual([
        400,
        'InvalidArgument',
        'versionId',
      ])
    }
  })

  test('the null version', async () => {
    const key = `${name}-null`
    at.makeCurrent(bucket, key, { versionId: idOf(3) })
    at.makeSuperseded(bucket, key, {})
    expect((await ask('PUT', key, name, '&versionId=null', body)).status).toBe(200)
    expect((await ask('GET', key, name, '&versionId=null')).text).toContain(holds)
    expect(outcome(await ask('GET', key, name))).toEqual(absent)
  })
})

describe('without a place for versions', () => {
  const plain = useGateway()

  test('an id is refused', async () => {
    const name = await plain.bucket()
    await plain.send('PUT', `/${name}/k`, { body: 'x' })
    for (const id of ['null', idOf(1)]) {
      const answer = await plain.send('GET', `/${name}/k?tagging&versionId=${id}`)
      expect([answer.status, answer.code]).toEqual([400, 'InvalidArgument'])
    }
  })
})
