import { GetObjectCommand } from '@aws-sdk/client-s3'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { checksum, md5Hex, multipartEtag, type ChecksumName } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import { completeXml, MiB, startUpload } from '../support/multipart.ts'
import { findTool } from '../support/tools.ts'
import { attributesOf, strayFiles } from '../support/tree.ts'

const at = useGateway()
const first = randomBytes(5 * MiB)
const second = randomBytes(5 * MiB + 4096)
const last = randomBytes(1234)

describe('CompleteMultipartUpload', () => {
  test('the document and the object (contract 3.4, 6.3)', async () => {
    const upload = await startUpload(at, [first, second, last], { key: 'sl/a sh' })
    const { status, text } = await upload.complete()
    const etag = multipartEtag([first, second, last]).slice(1, -1)
    const whole = Buffer.concat([first, second, last])
    expect(status).toBe(200)
    expect(text).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        `<Location>${at.gateway.endpoint}/${upload.bucket}/sl%2Fa%20sh</Location><Bucket>${upload.bucket}</Bucket><Key>sl/a sh</Key>` +
        `<ETag>&#34;${etag}&#34;</ETag><ChecksumCRC64NVME>${checksum('CRC64NVME', whole)}</ChecksumCRC64NVME>` +
        '<ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>',
    )
    expect(Buffer.compare(readFileSync(at.path(upload.bucket, 'sl/a sh')), whole)).toBe(0)
    expect(strayFiles(at.path(upload.bucket))).toEqual(['sl/', 'sl/a sh'])
  })

  test.skipIf(findTool('getfattr') === undefined)('attributes on disk', async () => {
    const upload = await startUpload(at, [first, last])
    await upload.complete()
    const file = at.path(upload.bucket, 'k')
    const { etag, checksums = '' } = attributesOf(file)
    expect(etag).toBe(multipartEtag([first, last]))
    expect(JSON.parse(checksums)).toMatchObject({ Algorithm: 'CRC64NVME', Type: 'FULL_OBJECT' })
    // contract 2.3: gzip of JSON with the upload's id and the parts' cumulative end offsets
    const raw = execFileSync('getfattr', [
      '--absolute-names',
      '-n',
      'user.mp-metadata',
      '-e',
      'hex',
      '--only-values',
      file,
    ])
    expect(JSON.parse(gunzipSync(raw).toString())).toEqual({
      uploadId: upload.uploadId,
      parts: [first.length, first.length + last.length],
    })
  })

  test('parts are read by their numbers afterwards', async () => {
    const upload = await startUpload(at, [first, last])
    await upload.complete()
    const part = await at.send('GET', `/${upload.bucket}/k?partNumber=2`)
    expect([part.status, part.header('x-amz-mp-parts-count')]).toEqual([206, '2'])
    expect(part.header('content-range')).toBe(
      `bytes ${first.length}-${first.length + last.length - 1}/${first.length + last.length}`,
    )
    expect(Buffer.compare(part.body, last)).toBe(0)
    const beyond = await at.send('GET', `/${upload.bucket}/k?partNumber=3`)
    expect([beyond.status, beyond.code, beyond.element('ActualPartCount')]).toEqual([
      416,
      'InvalidPartNumber',
      '2',
    ])
  })

  test('some of the parts, with gaps in the numbers', async () => {
    const upload = await startUpload(at)
    const one = await upload.part(2, first)
    await upload.part(5, 'not wanted')
    const two = await upload.part(10_000, last)
    const { status } = await upload.complete([
      { number: 2, etag: one.header('etag') ?? '' },
      { number: 10_000, etag: (two.header('etag') ?? '').slice(1, -1) },
    ])
    expect(status).toBe(200)
    expect(
      Buffer.compare(readFileSync(at.path(upload.bucket, 'k')), Buffer.concat([first, last])),
    ).toBe(0)
    expect(strayFiles(at.path(upload.bucket))).toEqual(['k'])
  })

  test.each([
    ['CRC32', 'FULL_OBJECT'],
    ['CRC32C', 'FULL_OBJECT'],
    ['CRC64NVME', 'FULL_OBJECT'],
    ['CRC32', 'COMPOSITE'],
    ['CRC32C', 'COMPOSITE'],
    ['SHA1', 'COMPOSITE'],
    ['SHA256', 'COMPOSITE'],
  ] as const)('checksum %s, %s', async (algorithm: ChecksumName, type) => {
    const bodies = [first, second, last]
    const upload = await startUpload(at, bodies, { algorithm, type })
    const tag = `Checksum${algorithm}`
    const parts = bodies.map((body, i) => ({
      number: i + 1,
      etag: upload.etags[i] ?? '',
      more: `<${tag}>${checksum(algorithm, body)}</${tag}>`,
    }))
    const sums = Buffer.concat(
      bodies.map((body) => Buffer.from(checksum(algorithm, body), 'base64')),
    )
    const expected =
      type === 'FULL_OBJECT'
        ? checksum(algorithm, Buffer.concat(bodies))
        : `${checksum(algorithm, sums)}-3`
    const { status, element } = await upload.complete(parts)
    expect([status, element(tag), element('ChecksumType')]).toEqual([200, expected, type])
    const head = await at.send('HEAD', `/${upload.bucket}/k`, {
      headers: { 'x-amz-checksum-mode': 'ENABLED' },
    })
    expect(head.header(`x-amz-checksum-${algorithm.toLowerCase()}`)).toBe(expected)
    // The SDK verifies what it reads.
    const { Body } = await at.s3.send(
      new GetObjectCommand({ Bucket: upload.bucket, Key: 'k', ChecksumMode: 'ENABLED' }),
    )
    expect((await Body?.transformToByteArray())?.length).toBe(Buffer.concat(bodies).length)
  })

  test('a client total that is wrong', async () => {
    const upload = await startUpload(at, [first, last], { algorithm: 'CRC32', type: 'FULL_OBJECT' })
    const parts = [first, last].map((body, i) => ({
      number: i + 1,
      etag: upload.etags[i] ?? '',
      more: `<ChecksumCRC32>${checksum('CRC32', body)}</ChecksumCRC32>`,
    }))
    const wrong = await upload.complete(parts, {
      'x-amz-checksum-crc32': checksum('CRC32', 'x'),
      'x-amz-checksum-type': 'FULL_OBJECT',
    })
    expect([wrong.status, wrong.code]).toEqual([400, 'BadDigest'])
    // The upload is still there and can be completed.
    expect((await upload.complete(parts)).status).toBe(200)
  })

  test('missing and wrong checksums of parts', async () => {
    const upload = await startUpload(at, [last], { algorithm: 'CRC32' })
    const etag = upload.etags[0] ?? ''
    const missing = await upload.complete([{ number: 1, etag }])
    expect([missing.status, missing.message]).toEqual([
      400,
      'The upload was created using a crc32 checksum. The complete request must include the checksum for each part. It was missing for part 1 in the request.',
    ])
    const wrong = await upload.complete([
      { number: 1, etag, more: `<ChecksumCRC32>${checksum('CRC32', 'x')}</ChecksumCRC32>` },
    ])
    expect([wrong.status, wrong.code]).toEqual([400, 'InvalidPart'])
    const type = await upload.complete(
      [{ number: 1, etag, more: `<ChecksumCRC32>${checksum('CRC32', last)}</ChecksumCRC32>` }],
      {
        'x-amz-checksum-type': 'FULL_OBJECT',
      },
    )
    expect([type.status, type.code]).toEqual([400, 'InvalidRequest'])
  })

  test('lists of parts that are wrong leave the upload as it was', async () => {
    const upload = await startUpload(at, [first, last])
    const [one = '', two = ''] = upload.etags
    const cases: [name: string, xml: string, code: string][] = [
      ['no body', '', 'MalformedXML'],
      ['no parts', completeXml([]), 'MalformedXML'],
      ['another document', '<Delete><Object><Key>k</Key></Object></Delete>', 'MalformedXML'],
      ['cut off', '<CompleteMultipartUpload><Part>', 'MalformedXML'],
      [
        'no ETag',
        '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>',
        'MalformedXML',
      ],
      ['number 0', completeXml([{ number: 0, etag: one }]), 'InvalidArgument'],
      [
        'twice',
        completeXml([
          { number: 1, etag: one },
          { number: 1, etag: one },
        ]),
        'InvalidPartOrder',
      ],
      [
        'not uploaded',
        completeXml([
          { number: 1, etag: one },
          { number: 9, etag: two },
        ]),
        'InvalidPart',
      ],
      ['another ETag', completeXml([{ number: 1, etag: `"${md5Hex('x')}"` }]), 'InvalidPart'],
    ]
    for (const [name, xml, code] of cases) {
      const answer = await upload.complete(xml)
      expect([name, answer.status, answer.code]).toEqual([name, 400, code])
    }
    // Which of the two is noticed first is upstream's own affair: the small part, or the order.
    const order = await upload.complete([
      { number: 2, etag: two },
      { number: 1, etag: one },
    ])
    expect([
      order.status,
      ['InvalidPartOrder', 'EntityTooSmall'].includes(order.code ?? ''),
    ]).toEqual([400, true])
    const invalid = await upload.complete([{ number: 9, etag: two }])
    expect([
      invalid.element('UploadId'),
      invalid.element('PartNumber'),
      invalid.element('ETag'),
    ]).toEqual([upload.uploadId, '9', two])
    expect((await upload.complete()).status).toBe(200)
  })

  test('a part below 5 MiB that is not the last', async () => {
    const upload = await startUpload(at, ['small', first])
    const { status, code, element } = await upload.complete()
    expect([status, code]).toEqual([400, 'EntityTooSmall'])
    expect([element('ProposedSize'), element('MinSizeAllowed')]).toEqual(['5', '5242880'])
  })

  test('x-amz-mp-object-size', async () => {
    const upload = await startUpload(at, [last])
    const wrong = await upload.complete(undefined, { 'x-amz-mp-object-size': '99' })
    expect([wrong.status, wrong.code]).toEqual([400, 'InvalidRequest'])
    expect(wrong.message).toContain("The provided 'x-amz-mp-object-size' header value")
    expect(
      (await upload.complete(undefined, { 'x-amz-mp-object-size': String(last.length) })).status,
    ).toBe(200)
  })

  test('again, and with ids that never were (contract 9.1.10, 9.2, 25)', async () => {
    const upload = await startUpload(at, [last])
    expect((await upload.complete()).status).toBe(200)
    const again = await upload.complete()
    expect([again.status, again.element('ETag')]).toEqual([200, multipartEtag([last])])
    const unknown = '00000000-0000-4000-8000-000000000000'
    const xml = completeXml([{ number: 1, etag: upload.etags[0] ?? '' }])
    const other = await at.send('POST', `/${upload.bucket}/k?uploadId=${unknown}`, { body: xml })
    expect([other.status, other.code]).toEqual([404, 'NoSuchUpload'])
    const elsewhere = await at.send('POST', `/${upload.bucket}/other?uploadId=${unknown}`, {
      body: xml,
    })
    expect([elsewhere.status, elsewhere.code]).toEqual([404, 'NoSuchUpload'])
  })

  test('many at once: one object, every answer the same', async () => {
    const upload = await startUpload(at, [first, last])
    const answers = await Promise.all(Array.from({ length: 6 }, () => upload.complete()))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(
      createHash('md5')
        .update(readFileSync(at.path(upload.bucket, 'k')))
        .digest('hex'),
    ).toBe(md5Hex(Buffer.concat([first, last])))
    expect(strayFiles(at.path(upload.bucket))).toEqual(['k'])
  })

  test('conditions, and a directory in the way', async () => {
    const upload = await startUpload(at, [last])
    const match = await upload.complete(undefined, { 'If-Match': '"abc"' })
    expect([match.status, match.code]).toEqual([404, 'NoSuchKey'])
    await at.send('PUT', `/${upload.bucket}/k`, { body: 'taken' })
    const none = await upload.complete(undefined, { 'If-None-Match': '*' })
    expect([none.status, none.code]).toEqual([412, 'PreconditionFailed'])
    expect(readFileSync(at.path(upload.bucket, 'k'), 'utf8')).toBe('taken')
    await at.send('DELETE', `/${upload.bucket}/k`)
    await at.send('PUT', `/${upload.bucket}/k/below`, { body: 'x' })
    const directory = await upload.complete()
    expect([directory.status, directory.code]).toEqual([409, 'ExistingObjectIsDirectory'])
    await at.send('DELETE', `/${upload.bucket}/k/below`)
    expect((await upload.complete(undefined, { 'If-None-Match': '*' })).status).toBe(200)
  })
})
