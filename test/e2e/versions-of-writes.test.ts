import { beforeAll, describe, expect, test } from 'vitest'
import { md5Base64 } from '../support/checksums.ts'
import { startUpload } from '../support/multipart.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { ULID, UNKNOWN, idOf, useVersioning } from '../support/versioning.ts'

const at = useVersioning(12)
const { versioned, put, get, remove, complete, kept } = at

describe('every way to write makes a version', () => {
  const ways: Record<string, (bucket: string) => Promise<RawResponse>> = {
    PutObject: (bucket) => at.send('PUT', `/${bucket}/k`, { body: 'new' }),
    'PutObject, streamed': (bucket) => at.send('PUT', `/${bucket}/k`, { body: 'n'.repeat(3e5) }),
    CopyObject: (bucket) =>
      at.send('PUT', `/${bucket}/k`, { headers: { 'x-amz-copy-source': `/${bucket}/source` } }),
    CompleteMultipartUpload: (bucket) => complete(bucket, 'k', 'new'),
  }
  test.each(Object.keys(ways))('%s', async (way) => {
    const bucket = await versioned()
    await put(bucket, 'source', 'copied')
    const old = await put(bucket, 'k', 'old')
    const answer = await ways[way]?.(bucket)
    expect([answer?.status, answer && idOf(answer)]).toEqual([200, expect.stringMatching(ULID)])
    expect((await at.send('HEAD', `/${bucket}/k`)).header('x-amz-version-id')).toBe(
      answer && idOf(answer),
    )
    expect(await get(bucket, 'k', old)).toEqual([200, 'old', old])
  })
})

describe('CopyObject and UploadPartCopy', () => {
  let bucket = ''
  const ids: (string | undefined)[] = []
  beforeAll(async () => {
    bucket = await versioned()
    for (const body of ['one', 'two']) ids.push(await put(bucket, 'k', body))
  })
  const copy = (source: string, headers = {}, target = 'copy'): Promise<RawResponse> =>
    at.send('PUT', `/${bucket}/${target}`, {
      headers: { 'x-amz-copy-source': `/${bucket}/${source}`, ...headers },
    })

  test('contract 3.5: take a version that is named', async () => {
    const copied = await copy(`k?versionId=${ids[0]}`)
    expect([copied.status, copied.header('x-amz-copy-source-version-id')]).toEqual([200, ids[0]])
    expect(idOf(copied)).toMatch(ULID)
    expect((await get(bucket, 'copy'))[1]).toBe('one')
    const upload = await startUpload(at, [], { bucket, key: 'parts' })
    const part = await upload.part(1, '', {
      'x-amz-copy-source': `/${bucket}/k?versionId=${ids[0]}`,
    })
    expect([part.status, part.header('x-amz-copy-source-version-id')]).toEqual([200, ids[0]])
  })

  test.each([
    ['an unknown version', `k?versionId=${UNKNOWN}`, 404, 'NoSuchVersion'],
    ['no version', 'k?versionId=abc', 400, 'InvalidArgument'],
    ['the null version, which is not there', 'k?versionId=null', 404, 'NoSuchVersion'],
  ])('refuse %s', async (_, source, status, code) => {
    const refused = await copy(source)
    expect([refused.status, refused.element('Code')]).toEqual([status, code])
  })

  test('bring an old version back to its own key, as a new one', async () => {
    const restored = await copy(`k?versionId=${ids[0]}`, {}, 'k')
    expect(restored.status).toBe(200)
    expect(await get(bucket, 'k')).toEqual([200, 'one', idOf(restored)])
    expect(await get(bucket, 'k', ids[1])).toEqual([200, 'two', ids[1]])
  })

  test('contract 3.5: the current one onto itself changes nothing, or its description in place', async () => {
    const current = idOf(await at.send('HEAD', `/${bucket}/k`))
    const same = await copy(`k?versionId=${current}`, {}, 'k')
    expect([same.status, same.element('Code')]).toEqual([400, 'InvalidRequest'])
    const headers = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-new': 'x' }
    const replaced = await copy(`k?versionId=${current}`, headers, 'k')
    expect([replaced.status, idOf(replaced)]).toEqual([200, current])
    expect((await at.send('HEAD', `/${bucket}/k`)).header('x-amz-meta-new')).toBe('x')
  })

  test('take nothing of a delete marker', async () => {
    await put(bucket, 'gone', 'x')
    const marker = idOf(await remove(bucket, 'gone'))
    const answers = [await copy('gone'), await copy(`gone?versionId=${marker}`)]
    expect(answers.map(({ status, element }) => [status, element('Code')])).toEqual([
      [404, 'NoSuchKey'],
      [400, 'InvalidRequest'],
    ])
  })
})

describe('DeleteObjects', () => {
  test('contract 3.9: says which delete markers were made, or deleted, and which versions', async () => {
    const bucket = await versioned()
    const ids = [await put(bucket, 'k', 'one'), await put(bucket, 'k', 'two')]
    const send = async (
      ...objects: readonly (readonly [key: string, id?: string | undefined])[]
    ): Promise<string> => {
      const body = `<Delete>${objects
        .map(
          ([key, id]) =>
            `<Object><Key>${key}</Key>${id === undefined ? '' : `<VersionId>${id}</VersionId>`}</Object>`,
        )
        .join('')}</Delete>`
      const headers = { 'Content-MD5': md5Base64(body) }
      const { text } = await at.send('POST', `/${bucket}?delete`, { body, headers })
      return text.slice(text.indexOf('<DeleteResult>'))
    }
    const first = await send(['k'])
    const marker = /<DeleteMarkerVersionId>(\w+)</.exec(first)?.[1] ?? ''
    expect(first).toBe(
      `<DeleteResult><Deleted><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>${marker}</DeleteMarkerVersionId><Key>k</Key></Deleted></DeleteResult>`,
    )
    expect(await send(['k', ids[0]], ['k', UNKNOWN], ['k', 'abc'])).toBe(
      `<DeleteResult><Deleted><Key>k</Key><VersionId>${ids[0]}</VersionId></Deleted>${[
        UNKNOWN,
        'abc',
      ]
        .map(
          (id) =>
            `<Error><Code>InvalidArgument</Code><Key>k</Key><Message>InvalidArgument</Message><VersionId>${id}</VersionId></Error>`,
        )
        .join('')}</DeleteResult>`,
    )
    expect(await send(['k', marker], ['missing'])).toBe(
      `<DeleteResult><Deleted><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>${marker}</DeleteMarkerVersionId><Key>k</Key><VersionId>${marker}</VersionId></Deleted><Deleted><Key>missing</Key></Deleted></DeleteResult>`,
    )
    expect(await get(bucket, 'k')).toEqual([200, 'two', ids[1]])
  })
})

describe('conditions', () => {
  test('contract 3.9: a delete marker is no object', async () => {
    const bucket = await versioned()
    await put(bucket, 'k', 'x')
    const etag = (await at.send('HEAD', `/${bucket}/k`)).header('etag') ?? ''
    const write = (headers: Record<string, string>): Promise<RawResponse> =>
      at.send('PUT', `/${bucket}/k`, { body: 'new', headers })
    expect((await write({ 'If-None-Match': '*' })).status).toBe(412)
    await remove(bucket, 'k')
    const matched = await write({ 'If-Match': etag })
    expect([matched.status, matched.element('Code')]).toEqual([404, 'NoSuchKey'])
    expect((await write({ 'If-None-Match': '*' })).status).toBe(200)
    expect((await write({ 'If-Match': etag })).status).toBe(412)
    expect(kept(bucket)).toHaveLength(2)
  })

  test('contract 3.9: of a delete hold for the version that is named', async () => {
    const bucket = await versioned()
    const id = await put(bucket, 'k', 'old')
    const etag = (await at.send('HEAD', `/${bucket}/k`)).header('etag') ?? ''
    await put(bucket, 'k', 'new')
    const target = `/${bucket}/k?versionId=${id}`
    const refused = await at.send('DELETE', target, { headers: { 'If-Match': '"other"' } })
    expect([refused.status, refused.element('Condition')]).toEqual([412, 'If-Match'])
    expect((await at.send('DELETE', target, { headers: { 'If-Match': etag } })).status).toBe(204)
  })
})

describe('writes side by side', () => {
  test('each becomes a version, whole, and is found by its id', async () => {
    const bucket = await versioned()
    const bodies = Array.from({ length: 40 }, (_, i) =>
      `body ${i} `.repeat(i % 4 === 0 ? 30_000 : 3),
    )
    const ids = await Promise.all(bodies.map((body) => put(bucket, 'k', body)))
    expect(new Set(ids).size).toBe(bodies.length)
    expect(kept(bucket)).toHaveLength(bodies.length - 1)
    for (const [i, id] of ids.entries())
      expect(await get(bucket, 'k', id)).toEqual([200, bodies[i], id])
  })
})
