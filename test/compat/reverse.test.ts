import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checksum, md5Base64, md5Hex, multipartEtag } from '../support/checksums.ts'
import { comparableHeaders, errorElements } from '../support/compat.ts'
import { useGateway, type RawRequest } from '../support/fixture.ts'
import { completeXml, MiB, startUpload, type Upload } from '../support/multipart.ts'
import { encodeKey } from '../support/sigv4.ts'
import { exchange, type RawResponse } from '../support/raw-http.ts'
import { startVersitygw, versitygw, type PeerGateway } from '../support/versitygw.ts'

describe.skipIf(versitygw === undefined)('A directory that we wrote, served by VersityGW', () => {
  const at = useGateway()
  const first = randomBytes(5 * MiB)
  const last = randomBytes(777)
  const bucket = 'written-by-us'
  const locked = 'locked-by-us'
  const KEYS: readonly (readonly [key: string, headers: Record<string, string>])[] = [
    ['plain', {}],
    [
      'headers',
      {
        'Content-Type': 'text/css',
        'Cache-Control': 'no-store',
        'Content-Disposition': 'attachment',
        'Content-Language': 'de',
        Expires: 'Wed, 02 Jan 2030 03:04:05 GMT',
      },
    ],
    [
      'meta',
      {
        'x-amz-meta-Mixed-Case': 'a <b> & "c"',
        'x-amz-meta-empty': '',
        'x-amz-meta-utf8': Buffer.from('grün').toString('latin1'),
      },
    ],
    ['tagged', { 'x-amz-tagging': 'a=1&b%20c=d%2Be' }],
    ['redirect', { 'x-amz-website-redirect-location': '/plain' }],
    ['sum/crc32', { 'x-amz-checksum-crc32': checksum('CRC32', 'body of sum/crc32') }],
    ['sum/sha256', { 'x-amz-checksum-sha256': checksum('SHA256', 'body of sum/sha256') }],
    ['odd/ü 日本+&<>"', {}],
    ['odd/back\\slash', {}],
    [`long/${'n'.repeat(255)}`, {}],
    ['nest/b/c', {}],
    ['nest/b-', {}],
  ]
  let peer: PeerGateway | undefined
  let unfinished: Upload
  let etag = ''

  const send = (
    method: string,
    target: string,
    headers: Record<string, string> = {},
    body?: Buffer | string,
  ): Promise<RawResponse> => {
    const request = {
      headers: { Host: `127.0.0.1:${peer?.port}`, ...headers },
      ...(body === undefined ? {} : { body }),
    }
    const bytes = Buffer.concat([at.head(method, target, request), Buffer.from(body ?? '')])
    return exchange(peer?.port ?? 0, bytes, { head: method === 'HEAD' })
  }

  const document = (body: string): RawRequest => ({
    body,
    headers: { 'Content-MD5': md5Base64(body) },
  })

  /** On buckets and objects, by their own calls and by the headers of writes. */
  const writeDocuments = async (): Promise<void> => {
    const answers = [
      await at.send('PUT', `/${bucket}?acl`, { headers: { 'x-amz-acl': 'public-read-write' } }),
      await at.send(
        'PUT',
        `/${bucket}?tagging`,
        document(
          '<Tagging><TagSet><Tag><Key>k ü</Key><Value>v+/:=@</Value></Tag></TagSet></Tagging>',
        ),
      ),
      await at.send(
        'PUT',
        `/${bucket}/plain?tagging`,
        document('<Tagging><TagSet><Tag><Key>one</Key><Value/></Tag></TagSet></Tagging>'),
      ),
      await at.send('PUT', `/${locked}`, {
        headers: { 'x-amz-bucket-object-lock-enabled': 'true' },
      }),
      await at.send('PUT', `/${locked}/by-header`, {
        body: 'x',
        headers: {
          'x-amz-object-lock-mode': 'COMPLIANCE',
          'x-amz-object-lock-retain-until-date': '2090-01-01T01:02:03.4+05:30',
          'x-amz-object-lock-legal-hold': 'ON',
        },
      }),
      await at.send('PUT', `/${locked}/by-call`, { body: 'x' }),
      await at.send(
        'PUT',
        `/${locked}/by-call?retention`,
        document(
          '<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2090-01-01T00:00:00Z</RetainUntilDate></Retention>',
        ),
      ),
      await at.send(
        'PUT',
        `/${locked}/by-call?legal-hold`,
        document('<LegalHold><Status>OFF</Status></LegalHold>'),
      ),
      await at.send(
        'PUT',
        `/${locked}?object-lock`,
        document(
          '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>2</Days></DefaultRetention></Rule></ObjectLockConfiguration>',
        ),
      ),
    ]
    expect(answers.map(({ status }) => status)).toEqual([
      200, 204, 200, 200, 200, 200, 200, 200, 200,
    ])
  }

  beforeAll(async () => {
    await at.send('PUT', `/${bucket}`, {
      headers: { 'x-amz-object-ownership': 'BucketOwnerPreferred' },
    })
    for (const [key, headers] of KEYS) {
      const { status, text } = await at.send('PUT', `/${bucket}/${encodeKey(key)}`, {
        headers,
        body: `body of ${key}`,
      })
      expect([key, status, text]).toEqual([key, 200, ''])
    }
    await at.send('PUT', `/${bucket}/dir/`, { headers: { 'x-amz-meta-is': 'dir' } })
    await at.send('PUT', `/${bucket}/copied`, {
      headers: { 'x-amz-copy-source': `${bucket}/meta` },
    })
    await at.send('PUT', `/${bucket}/tagged`, {
      body: 'overwritten',
      headers: { 'x-amz-tagging': 'z=9' },
    })
    await writeDocuments()
    const upload = await startUpload(at, [first, last], { bucket, key: 'multipart' })
    etag = (await upload.complete()).element('ETag') ?? ''
    unfinished = await startUpload(at, [first, last], { bucket, key: 'unfinished' })

    const { credentials } = at
    peer = await startVersitygw({ credentials, flags: [], data: at.gateway.dir })
  })
  afterAll(() => peer?.[Symbol.asyncDispose]())

  test('every object has the same headers, body and checksum', async () => {
    const targets = [
      ...KEYS.map(([key]) => key),
      'dir/',
      'copied',
      'multipart',
      'none',
      'dir',
      'nest/b',
      'plain/below',
    ].map((key) => `/${bucket}/${encodeKey(key)}`)
    for (const target of targets) {
      for (const [method, headers] of [
        ['GET', {}],
        ['HEAD', {}],
        ['GET', { 'x-amz-checksum-mode': 'ENABLED' }],
        ['GET', { Range: 'bytes=1-3' }],
      ] as const) {
        const [ours, theirs] = [
          await at.send(method, target, { headers }),
          await send(method, target, headers),
        ]
        expect([target, method, theirs.status, comparableHeaders(theirs)]).toEqual([
          target,
          method,
          ours.status,
          comparableHeaders(ours),
        ])
        if (ours.status < 300) expect(Buffer.compare(ours.body, theirs.body)).toBe(0)
        // Of an empty object VersityGW leaves out ActualObjectSize.
        else expect(errorElements(ours.text)).toMatchObject(errorElements(theirs.text))
      }
    }
  })

  test.each([
    '',
    'list-type=2',
    'delimiter=%2F',
    'list-type=2&prefix=nest%2F&delimiter=%2F',
    'list-type=2&fetch-owner=true',
    'uploads',
    'location',
    'max-keys=3',
    'acl',
    'ownershipControls',
    'tagging',
  ])('bucket?%s', async (query) => {
    const target = `/${bucket}?${query}`
    const [ours, theirs] = [await at.send('GET', target), await send('GET', target)]
    if (ours.status === 501) expect([200, 404]).toContain(theirs.status)
    else expect([theirs.status, theirs.text]).toEqual([ours.status, ours.text])
  })

  test.each([
    `/${bucket}/plain?tagging`,
    `/${locked}?acl`,
    `/${locked}?object-lock`,
    `/${locked}/by-header?retention`,
    `/${locked}/by-header?legal-hold`,
    `/${locked}/by-call?retention`,
    `/${locked}/by-call?legal-hold`,
  ])('document %s', async (target) => {
    const [ours, theirs] = [await at.send('GET', target), await send('GET', target)]
    expect([theirs.status, theirs.text]).toEqual([200, ours.text])
  })

  test('it honours our locks', async () => {
    for (const key of ['by-header', 'by-call']) {
      const head = await send('HEAD', `/${locked}/${key}`)
      expect(comparableHeaders(head)).toEqual(
        comparableHeaders(await at.send('HEAD', `/${locked}/${key}`)),
      )
      expect((await send('DELETE', `/${locked}/${key}`)).code).toBe('AccessDenied')
    }
  })

  test('parts of a finished and of an unfinished upload', async () => {
    const part = await send('GET', `/${bucket}/multipart?partNumber=2`)
    expect([part.status, part.header('etag'), part.header('x-amz-mp-parts-count')]).toEqual([
      206,
      etag,
      '2',
    ])
    expect(Buffer.compare(part.body, last)).toBe(0)
    const [ours, theirs] = [
      await at.send('GET', unfinished.target()),
      await send('GET', unfinished.target()),
    ]
    expect(theirs.text).toBe(ours.text)
    const tags = await send('GET', `/${bucket}/tagged?tagging`)
    expect([tags.element('Key'), tags.element('Value')]).toEqual(['z', '9'])
  })

  test('it finishes our upload, and we serve the result', async () => {
    const parts = [first, last].map((body, i) => ({ number: i + 1, etag: `"${md5Hex(body)}"` }))
    const { status, element } = await send('POST', unfinished.target(), {}, completeXml(parts))
    expect([status, element('ETag')]).toEqual([200, multipartEtag([first, last])])
    const got = await at.send('GET', `/${bucket}/unfinished`)
    expect(Buffer.compare(got.body, Buffer.concat([first, last]))).toBe(0)
  })

  test('it overwrites, deletes and copies what is ours', async () => {
    expect((await send('PUT', `/${bucket}/plain`, {}, 'theirs')).status).toBe(200)
    expect((await at.send('GET', `/${bucket}/plain`)).text).toBe('theirs')
    expect(
      (await send('PUT', `/${bucket}/their-copy`, { 'x-amz-copy-source': `${bucket}/headers` }))
        .status,
    ).toBe(200)
    expect((await at.send('HEAD', `/${bucket}/their-copy`)).header('content-type')).toBe('text/css')
    expect((await send('DELETE', `/${bucket}/nest/b/c`)).status).toBe(204)
    expect((await at.send('GET', `/${bucket}/nest/b/c`)).status).toBe(404)
    expect((await send('PUT', `/${bucket}`)).code).toBe('BucketAlreadyOwnedByYou')
  })
})
