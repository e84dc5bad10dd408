import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import { errorOf } from '../../test/support/s3-errors.ts'
import { declaredChecksum, parseAlgorithm, parseUploadChecksum } from './checksum.ts'
import { declaredDigests, digestChecks, digestKinds } from './digests.ts'

type Headers = Record<string, string>
const of = (headers: Headers) => requestOf({ method: 'PUT', headers })
const SHA1 = 'qvTGHdzF6KLavt4PO0gs2a6pQ00='
const UNSUPPORTED =
  'Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]'
const SEVERAL =
  'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.'
const NOTHING_FOUND =
  'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.'

describe('contract 3.1: the checksum of a body', () => {
  test.each<[Headers, object | undefined]>([
    [{}, undefined],
    [
      {
        'x-amz-checksum-mode': 'ENABLED',
        'x-amz-checksum-algorithm': 'SHA1',
        'x-amz-checksum-type': 'COMPOSITE',
      },
      undefined,
    ],
    [{ 'x-amz-checksum-crc32': 'NhCmhg==' }, { algorithm: 'CRC32', value: 'NhCmhg==' }],
    [
      { 'x-amz-checksum-sha1': SHA1, 'x-amz-sdk-checksum-algorithm': 'sha1' },
      { algorithm: 'SHA1', value: SHA1 },
    ],
    [{ 'x-amz-checksum-xxhash3': 'LQaABTjTlMI=' }, { algorithm: 'XXHASH3', value: 'LQaABTjTlMI=' }],
    [
      { 'x-amz-checksum-md5': '1B2M2Y8AsgTpgAmY7PhCfg==', 'x-amz-sdk-checksum-algorithm': 'MD5' },
      { algorithm: 'MD5', value: '1B2M2Y8AsgTpgAmY7PhCfg==' },
    ],
    [{ 'x-amz-trailer': 'x-amz-checksum-crc64nvme' }, { algorithm: 'CRC64NVME', value: undefined }],
    [
      { 'x-amz-trailer': 'X-Amz-Checksum-CRC32', 'x-amz-sdk-checksum-algorithm': 'CRC32' },
      { algorithm: 'CRC32', value: undefined },
    ],
  ])('%j', (headers, expected) => {
    const found = declaredChecksum(of(headers))
    expect(found && { algorithm: found.algorithm, value: found.value }).toEqual(expected)
  })

  test.each<[Headers, string]>([
    [{ 'x-amz-checksum-crc32': 'NhCmhg==', 'x-amz-checksum-sha1': SHA1 }, SEVERAL],
    [{ 'x-amz-checksum-crc32': 'NhCmhg==', 'x-amz-trailer': 'x-amz-checksum-crc32' }, SEVERAL],
    [{ 'x-amz-checksum-crc32': '' }, 'Value for x-amz-checksum-crc32 header is invalid.'],
    [{ 'x-amz-checksum-crc32': 'NhCmh' }, 'Value for x-amz-checksum-crc32 header is invalid.'],
    [
      { 'x-amz-checksum-crc32': 'NhCmhg==\t=' },
      'Value for x-amz-checksum-crc32 header is invalid.',
    ],
    [{ 'x-amz-checksum-crc32': 'NhCmhh==' }, 'Value for x-amz-checksum-crc32 header is invalid.'],
    [{ 'x-amz-checksum-sha256': SHA1 }, 'Value for x-amz-checksum-sha256 header is invalid.'],
    [
      { 'x-amz-checksum-crc16': 'AAA=' },
      'The algorithm type you specified in x-amz-checksum- header is invalid.',
    ],
    [
      { 'x-amz-checksum-constructor': 'AAA=' },
      'The algorithm type you specified in x-amz-checksum- header is invalid.',
    ],
    [{ 'x-amz-checksum-sha512': 'AAA=' }, 'Value for x-amz-checksum-sha512 header is invalid.'],
    [
      { 'x-amz-checksum-xxhash32': 'AAAAAA==' },
      'The algorithm type you specified in x-amz-checksum- header is invalid.',
    ],
    [
      { 'x-amz-trailer': 'x-amz-meta-a' },
      'The value specified in the x-amz-trailer header is not supported',
    ],
    [
      { 'x-amz-trailer': 'x-amz-checksum-crc32,x-amz-checksum-sha1' },
      'The value specified in the x-amz-trailer header is not supported',
    ],
    [{ 'x-amz-sdk-checksum-algorithm': 'CRC32' }, NOTHING_FOUND],
    [
      { 'x-amz-sdk-checksum-algorithm': 'CRC32C', 'x-amz-checksum-crc32': 'NhCmhg==' },
      'Value for x-amz-sdk-checksum-algorithm header is invalid.',
    ],
    [{ 'x-amz-sdk-checksum-algorithm': 'CRC16', 'x-amz-checksum-crc32': 'NhCmhg==' }, UNSUPPORTED],
  ])('A12: %j', (headers, message) => {
    expect(errorOf(() => declaredChecksum(of(headers)))).toMatchObject({
      code: 'InvalidRequest',
      message,
    })
  })

  test('the same header twice', () => {
    const request = requestOf({
      headers: [
        ['x-amz-checksum-crc32', 'NhCmhg=='],
        ['x-amz-checksum-crc32', 'NhCmhg=='],
      ],
    })
    expect(errorOf(() => declaredChecksum(request)).code).toBe('InvalidRequest')
  })
})

describe('contract 3.3: the checksum of an upload', () => {
  test.each<[Headers, object | undefined]>([
    [{}, undefined],
    [{ 'x-amz-checksum-algorithm': 'CRC64NVME' }, { algorithm: 'CRC64NVME', type: 'FULL_OBJECT' }],
    [{ 'x-amz-checksum-algorithm': 'crc32' }, { algorithm: 'CRC32', type: 'COMPOSITE' }],
    [
      { 'x-amz-checksum-algorithm': 'CRC32C', 'x-amz-checksum-type': 'FULL_OBJECT' },
      { algorithm: 'CRC32C', type: 'FULL_OBJECT' },
    ],
    [{ 'x-amz-checksum-algorithm': 'SHA256' }, { algorithm: 'SHA256', type: 'COMPOSITE' }],
    [{ 'x-amz-checksum-algorithm': 'xxhash128' }, { algorithm: 'XXHASH128', type: 'COMPOSITE' }],
  ])('%j', (headers, expected) => {
    expect(parseUploadChecksum(of(headers))).toEqual(expected)
  })

  test.each<[Headers, string]>([
    [
      { 'x-amz-checksum-type': 'COMPOSITE' },
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    ],
    [
      { 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' },
      'The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.',
    ],
    [
      { 'x-amz-checksum-algorithm': 'SHA1', 'x-amz-checksum-type': 'FULL_OBJECT' },
      'The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm.',
    ],
    [
      { 'x-amz-checksum-algorithm': 'XXHASH64', 'x-amz-checksum-type': 'FULL_OBJECT' },
      'The FULL_OBJECT checksum type cannot be used with the xxhash64 checksum algorithm.',
    ],
    [
      { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'OTHER' },
      'Value for x-amz-checksum-type header is invalid.',
    ],
    [{ 'x-amz-checksum-algorithm': 'NONE' }, UNSUPPORTED],
  ])('%j', (headers, message) => {
    expect(errorOf(() => parseUploadChecksum(of(headers)))).toMatchObject({
      code: 'InvalidRequest',
      message,
    })
  })

  test('no algorithm is none', () => {
    expect(parseAlgorithm(undefined)).toBeUndefined()
    expect(parseAlgorithm('')).toBeUndefined()
  })
})

describe('what has to hold of a body', () => {
  const md5 = 'XUFAKrxLKna5cZ2REBfFkg=='

  test('kinds are computed once, checks are made one by one', () => {
    const sha256 = Buffer.alloc(32, 7)
    const digests = declaredDigests(
      of({ 'Content-MD5': md5, 'x-amz-checksum-sha256': sha256.toString('base64') }),
      sha256,
    )
    expect(digestKinds(digests)).toEqual(['md5', 'sha256'])
    const kinds = digestChecks(digests, undefined).map(({ kind }) => kind)
    expect(kinds).toEqual(['sha256', 'md5', 'sha256'])
  })

  test('a trailer is a check once it has come', () => {
    const digests = declaredDigests(of({ 'x-amz-trailer': 'x-amz-checksum-crc32' }), undefined)
    expect(digestKinds(digests)).toEqual(['crc32'])
    expect(digestChecks(digests, undefined)).toEqual([])
    expect(digestChecks(digests, 'NhCmhg==')[0]?.expected).toEqual(
      Buffer.from('NhCmhg==', 'base64'),
    )
  })

  test.each(['', 'abc', `${md5}=`, 'XUFAKrxLKna5cZ2REBfFkg', 'AAAA'])(
    'contract 3.1: Content-MD5 %j',
    (value) => {
      expect(errorOf(() => declaredDigests(of({ 'Content-MD5': value }), undefined))).toMatchObject(
        {
          code: 'InvalidDigest',
          details: { 'Content-MD5': value },
        },
      )
    },
  )

  test('defect 19: BadDigest has one digest in base64, the other in hex', () => {
    const [check] = digestChecks(declaredDigests(of({ 'Content-MD5': md5 }), undefined), undefined)
    expect(check?.mismatch(Buffer.alloc(16))).toMatchObject({
      code: 'BadDigest',
      details: {
        CalculatedDigest: 'AAAAAAAAAAAAAAAAAAAAAA==',
        ExpectedDigest: '5d41402abc4b2a76b9719d911017c592',
      },
    })
  })

  test('contract 3.1: BadDigest of a checksum names its algorithm', () => {
    const [check] = digestChecks(
      declaredDigests(of({ 'x-amz-checksum-crc32': 'NhCmhg==' }), undefined),
      undefined,
    )
    expect(check?.mismatch(Buffer.alloc(4)).message).toBe(
      'The CRC32 you specified did not match the calculated checksum.',
    )
  })
})
