import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { md5Base64 } from '../support/checksums.ts'
import { SECRET, useAttackedGateway } from '../support/attacked.ts'
import { startUpload } from '../support/multipart.ts'

/** Named after the list of attacks: A1 to A22. Every victim is looked at afterwards, on the disk. */
const { at, prepare, expectUnharmed } = useAttackedGateway()
let bucket = ''
let victim = ''
let outside = ''

beforeEach(async () => {
  ;({ bucket, victim, outside } = await prepare())
})

describe('A1: keys that climb', () => {
  const climbs = (): string[] => {
    const name = outside.split('/').at(-1) ?? ''
    return [
      `../${victim}/k`,
      `..%2f${victim}%2fk`,
      `%2e%2e/${victim}/k`,
      `%2e%2e%2f${victim}%2fk`,
      `a/../../${victim}/k`,
      `a/%2e%2e/%2e%2e/${victim}/k`,
      `../../${name}`,
      '..',
      '.',
      '%2e',
      '%2e%2e',
      '/',
      './..',
      `./../${victim}/k`,
    ]
  }

  test('read, write, delete: 400, and not a byte elsewhere', async () => {
    for (const climb of climbs()) {
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
        const { status, text } = await at.send(
          method,
          `/${bucket}/${climb}`,
          method === 'PUT' ? { body: 'planted' } : {},
        )
        expect([method, climb, status, text.includes(SECRET)]).toEqual([method, climb, 400, false])
      }
      for (const query of ['uploads', 'attributes', 'partNumber=1&uploadId=x']) {
        const { status } = await at.send(
          query === 'uploads' ? 'POST' : 'PUT',
          `/${bucket}/${climb}?${query}`,
        )
        expect([query, climb, status]).toEqual([query, climb, 400])
      }
    }
    expectUnharmed()
  })

  test('what is encoded twice is a name, not a path; a backslash too', async () => {
    for (const key of [
      `%252e%252e%252f${victim}%252fk`,
      `..%255c..%255c${victim}`,
      `..\\..\\${victim}\\k`,
      '..%5c..%5ck',
    ]) {
      expect((await at.send('PUT', `/${bucket}/${key}`, { body: 'mine' })).status).toBe(200)
      expect((await at.send('GET', `/${bucket}/${key}`)).text).toBe('mine')
    }
    expectUnharmed()
  })

  test('prefixes and markers of listings', async () => {
    for (const text of [`../${victim}/`, '../', '../../', '/', '/etc/', `..%2f${victim}`]) {
      for (const query of ['prefix', 'marker', 'start-after', 'continuation-token']) {
        const { elements } = await at.send('GET', `/${bucket}?list-type=2&${query}=${text}`)
        expect(elements('Key').filter((key) => key !== 'k')).toEqual([])
      }
      expect((await at.send('GET', `/${bucket}?uploads&prefix=${text}`)).elements('Key')).toEqual(
        [],
      )
    }
    expectUnharmed()
  })

  test('the directory of temporary files is no place for keys (contract 9.2, 12)', async () => {
    const upload = await startUpload(at, ['part'], { bucket })
    const hash = createHash('sha256').update('k').digest('hex')
    for (const key of [
      '.sgwtmp',
      '.sgwtmp/',
      '.sgwtmp/x',
      `.sgwtmp/multipart/${hash}/${upload.uploadId}/1`,
      'a/../.sgwtmp/x',
      './.sgwtmp/multipart/',
      '.sgwtmp%2fx',
      'sub/.sgwtmp/x',
    ]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const { status } = await at.send(
          method,
          `/${bucket}/${key}`,
          method === 'PUT' ? { body: 'planted' } : {},
        )
        expect([method, key, status >= 400 || (method === 'DELETE' && status === 204)]).toEqual([
          method,
          key,
          true,
        ])
      }
    }
    expect((await at.send('GET', upload.target())).elements('PartNumber')).toEqual(['1'])
    expect(existsSync(at.path(bucket, '.sgwtmp/x'))).toBe(false)
  })
})

describe('A2: keys inside DeleteObjects', () => {
  test('each is refused by itself, nothing is deleted elsewhere (VersityGW deletes)', async () => {
    const name = outside.split('/').at(-1) ?? ''
    const keys = [
      `../${victim}/k`,
      `../../${name}`,
      `a/../../${victim}/k`,
      '..',
      '.',
      '',
      '/',
      '../',
      `/../${victim}/k`,
      '.sgwtmp',
      '.sgwtmp/multipart',
    ]
    const upload = await startUpload(at, ['part'], { bucket })
    const body = `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}<Object><Key>k</Key></Object></Delete>`
    const { status, text, elements } = await at.send('POST', `/${bucket}?delete`, {
      body,
      headers: { 'Content-MD5': md5Base64(body) },
    })
    expect(status).toBe(200)
    // What is good is done all the same.
    expect(text).toContain('<Deleted><Key>k</Key></Deleted>')
    expect(elements('Code').length).toBeGreaterThanOrEqual(keys.length - 2)
    expect(existsSync(at.path(bucket))).toBe(true)
    expect((await at.send('GET', upload.target())).status).toBe(200)
    expectUnharmed()
  })
})

describe('A3: copy sources', () => {
  test('that climb, encoded once and twice', async () => {
    const upload = await startUpload(at, [], { bucket, key: 'target' })
    for (const source of [
      `${bucket}/../${victim}/k`,
      `${bucket}%2f..%2f${victim}%2fk`,
      `${bucket}/%2e%2e/${victim}/k`,
      `${bucket}/..%2f${victim}%2fk`,
      `../${victim}/k`,
      `..%2f${victim}`,
      `${bucket}/a/../../${victim}/k`,
      './k',
      '%2e/k',
      `${bucket}/.sgwtmp/x`,
    ]) {
      for (const target of [`/${bucket}/target`, upload.target('partNumber=1')]) {
        const { status, text } = await at.send('PUT', target, {
          headers: { 'x-amz-copy-source': source },
        })
        expect([source, status >= 400 && status < 500, text.includes(SECRET)]).toEqual([
          source,
          true,
          false,
        ])
      }
      const { status, code } = await at.send('PUT', `/${bucket}/target`, {
        headers: { 'x-amz-copy-source': `${bucket}/%252e%252e%252f${victim}%252fk` },
      })
      expect([status, code]).toEqual([404, 'NoSuchKey'])
    }
    expect(existsSync(at.path(bucket, 'target'))).toBe(false)
    expectUnharmed()
  })
})

describe('A4: bucket names', () => {
  test.each([
    '.',
    '..',
    '%2e%2e',
    '.sgwtmp',
    'UPPER',
    '10.0.0.1',
    'x'.repeat(64),
    'a%2fb',
    'a%00b',
    '-a',
    'a_b',
  ])('%s', async (name) => {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      const { status } = await at.send(method, `/${name}`)
      expect([method, status >= 400 && status < 500]).toEqual([method, true])
      const { status: below } = await at.send(
        method,
        `/${name}/k`,
        method === 'PUT' ? { body: 'x' } : {},
      )
      expect([method, below >= 400 && below < 500]).toEqual([method, true])
    }
    expect(existsSync(at.gateway.dir)).toBe(true)
    expectUnharmed()
  })
})

describe('A8: upload ids that are paths (VersityGW takes them as such)', () => {
  test('NoSuchUpload for every one, and every upload stays', async () => {
    const upload = await startUpload(at, ['part'], { bucket })
    const other = await startUpload(at, ['part'], { bucket, key: 'other' })
    const hash = createHash('sha256').update('other').digest('hex')
    const ids = [
      '',
      '.',
      '..',
      '../..',
      `..%2f${hash}`,
      `..%2f${hash}%2f${other.uploadId}`,
      other.uploadId,
      `${upload.uploadId}%2f..`,
      `${upload.uploadId}%2f`,
      '%00',
      'x'.repeat(5000),
      upload.uploadId.toUpperCase(),
      `${upload.uploadId}%20`,
    ]
    for (const id of ids) {
      const target = `/${bucket}/k?uploadId=${id}`
      for (const [method, query, body] of [
        ['GET', '', undefined],
        ['DELETE', '', undefined],
        ['PUT', '&partNumber=7', 'planted'],
        [
          'POST',
          '',
          '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>',
        ],
      ] as const) {
        const { status } = await at.send(method, target + query, body === undefined ? {} : { body })
        expect([method, id.slice(0, 60), status >= 400 && status < 500]).toEqual([
          method,
          id.slice(0, 60),
          true,
        ])
      }
    }
    for (const one of [upload, other])
      expect((await at.send('GET', one.target())).elements('PartNumber')).toEqual(['1'])
    expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe('mine')
    expectUnharmed()
  })

  test('continuation tokens, markers and version ids of a megabyte or of nonsense', async () => {
    const long = 'x'.repeat(6000)
    for (const query of [
      `list-type=2&continuation-token=${long}`,
      `marker=${long}`,
      `uploads&key-marker=${long}`,
      'list-type=2&continuation-token=%00%ff',
    ]) {
      const { status } = await at.send('GET', `/${bucket}?${query}`)
      expect([query.slice(0, 40), status === 200 || status === 400 || status === 403]).toEqual([
        query.slice(0, 40),
        true,
      ])
    }
    for (const id of ['..', '../../x', 'null%00', long]) {
      const { status } = await at.send('GET', `/${bucket}/k?versionId=${id}`)
      expect([id.slice(0, 40), status]).toEqual([id.slice(0, 40), 400])
      expect((await at.send('DELETE', `/${bucket}/k?versionId=${id}`)).status).toBe(400)
    }
    expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe('mine')
  })
})
