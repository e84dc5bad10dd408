import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { BodyServer, UNSIGNED, headOf, type Use } from '../../test/support/body-server.ts'
import { S3Error } from '../s3/errors.ts'
import { readWholeBody } from './body.ts'
import { parseRequest } from './request.ts'

const DOCUMENT = {
  kind: 'document',
  root: 'Delete',
  maxBytes: 1024,
  required: true,
  checksumRequired: false,
  checksumOf: 'body',
  malformed: undefined,
} as const
const CRC = 'x-amz-checksum-crc32'
const server = new BodyServer()

const document: Use = async (payload, incoming) =>
  String(
    await readWholeBody(parseRequest(incoming, { virtualDomain: undefined }), payload, DOCUMENT),
  )

describe('a document', () => {
  const md5 = createHash('md5').update('hello').digest('base64')

  test('is read whole', async () => {
    expect(await server.send(`${headOf('Content-Length: 5')}hello`, document)).toBe('hello')
    expect(
      await server.send(`${headOf('Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`, document),
    ).toBe('hello')
  })

  test.each([
    ['contract 6.2 B: empty', headOf('Content-Length: 0'), 'MissingRequestBodyError'],
    ['contract 6.2 B: none', headOf(), 'MissingRequestBodyError'],
    [
      'contract 6.2 B: empty in chunks',
      `${headOf('Transfer-Encoding: chunked')}0\r\n\r\n`,
      'MissingRequestBodyError',
    ],
    [
      'A21: too long by its head',
      `${headOf('Content-Length: 1025')}${'x'.repeat(1025)}`,
      'MaxMessageLengthExceeded',
    ],
    [
      'A21: too long in chunks',
      `${headOf('Transfer-Encoding: chunked')}401\r\n${'x'.repeat(1025)}\r\n0\r\n\r\n`,
      'MaxMessageLengthExceeded',
    ],
    [
      'A12: Content-MD5 of another',
      `${headOf('Content-Length: 5', `Content-MD5: ${md5}`)}hallo`,
      'BadDigest',
    ],
    [
      'A12: Content-MD5 that is none',
      `${headOf('Content-Length: 5', 'Content-MD5: abc')}hello`,
      'InvalidDigest',
    ],
    [
      'A12: a checksum of another',
      `${headOf('Content-Length: 5', `${CRC}: AAAAAA==`)}hello`,
      'BadDigest',
    ],
  ])('%s', async (_, bytes, code) => {
    expect(await server.send(bytes, document)).toMatchObject({ code })
  })

  test('A12: another SHA-256 than the signed one', async () => {
    const declaredSha256 = createHash('sha256').update('hallo').digest()
    const outcome = await server.send(`${headOf('Content-Length: 5')}hello`, document, {
      auth: { ...UNSIGNED, declaredSha256 },
    })
    expect(outcome).toMatchObject({
      code: 'XAmzContentSHA256Mismatch',
      details: {
        ClientComputedContentSHA256: declaredSha256.toString('hex'),
        S3ComputedContentSHA256: createHash('sha256').update('hello').digest('hex'),
      },
    })
  })

  test.each([
    [`Content-MD5: ${md5}`, 'hello'],
    [`${CRC}: NhCmhg==`, 'hello'],
    ['x-amz-checksum-crc32c: mnG7TA==', 'hello'],
    ['x-amz-checksum-crc64nvme: M3eFcAZSQlc=', 'hello'],
    [
      'x-amz-meta-a: b',
      'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    ],
  ])('contract 6.2 C: with %s', async (line, expected) => {
    const required: Use = async (payload, incoming) =>
      readWholeBody(parseRequest(incoming, { virtualDomain: undefined }), payload, {
        ...DOCUMENT,
        checksumRequired: true,
      })
    const outcome = await server.send(`${headOf('Content-Length: 5', line)}hello`, required)
    expect(outcome instanceof S3Error ? outcome.message : String(outcome)).toBe(expected)
  })
})
