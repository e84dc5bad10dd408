import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { errorOf } from '../../test/support/s3-errors.ts'
import { createChunkVerifier } from '../auth/chunk-signature.ts'
import { createSigningKeys } from '../auth/hmac.ts'
import { S3Error } from '../s3/errors.ts'
import { createChunkedDecoder } from './aws-chunked.ts'

const signingKey = createSigningKeys()(
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  '20130524',
  'us-east-1',
)
const SEED = {
  signingKey,
  scope: '20130524/us-east-1/s3/aws4_request',
  timestamp: '20130524T000000Z',
  mismatch: () => new S3Error('SignatureDoesNotMatch'),
}

interface Options {
  readonly decodedLength: number
  readonly seedSignature?: string
  readonly trailer?: string
}

interface Outcome {
  readonly data: Buffer
  readonly trailer: string | undefined
}

/** Feeds `pieces` and tells what came out, or throws what the decoder throws. */
function decode(pieces: readonly (string | Buffer)[], options: Options): Outcome {
  const out: Buffer[] = []
  let trailer: string | undefined
  const { seedSignature } = options
  const decoder = createChunkedDecoder({
    decodedLength: options.decodedLength,
    verifier:
      seedSignature === undefined ? undefined : createChunkVerifier({ ...SEED, seedSignature }),
    trailer: options.trailer,
    onTrailer: (value) => (trailer = value),
  })
  for (const piece of pieces)
    decoder.push(Buffer.from(piece as string, 'latin1'), (bytes) => out.push(Buffer.from(bytes)))
  decoder.finish()
  return { data: Buffer.concat(out), trailer }
}

function codeOf(pieces: readonly (string | Buffer)[], options: Options): string {
  try {
    decode(pieces, options)
    return 'whole'
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
}

const KILOBYTES_65 = Buffer.alloc(66_560, 'a')

describe('Amazon S3 API reference: 65 KiB of "a" in chunks of 64 KiB', () => {
  const SIGNATURES = [
    'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
    '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
    'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
  ] as const
  const seedSignature = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9'
  const options = { decodedLength: 66_560, seedSignature }

  function body(signatures: readonly string[], data = 'a'): string {
    const [first, second, last] = signatures
    return (
      `10000;chunk-signature=${first}\r\n${data.repeat(65_536)}\r\n` +
      `400;chunk-signature=${second}\r\n${'a'.repeat(1024)}\r\n0;chunk-signature=${last}\r\n\r\n`
    )
  }

  test('its length is that of the example, and every signature holds', () => {
    expect(body(SIGNATURES).length).toBe(66_824)
    expect(decode([body(SIGNATURES)], options).data.equals(KILOBYTES_65)).toBe(true)
  })

  test.each([0, 1, 2])('A11: signature %i wrong', (which) => {
    const wrong = SIGNATURES.map((signature, i) =>
      i === which ? signature.replace(/^./, 'f') : signature,
    )
    expect(codeOf([body(wrong)], options)).toBe('SignatureDoesNotMatch')
  })

  test('A11: one byte changed; another seed; chunks in another order', () => {
    expect(codeOf([body(SIGNATURES, 'b')], options)).toBe('SignatureDoesNotMatch')
    expect(codeOf([body(SIGNATURES)], { ...options, seedSignature: SIGNATURES[2] })).toBe(
      'SignatureDoesNotMatch',
    )
  })

  test('A11: a chunk without signature, or with half of one', () => {
    expect(codeOf([body(SIGNATURES).replace(/;chunk-signature=\w+/, '')], options)).toBe(
      'IncompleteBody',
    )
    expect(codeOf([body(SIGNATURES).replace(/(;chunk-signature=\w{32})\w+/, '$1')], options)).toBe(
      'IncompleteBody',
    )
  })

  test('with a trailer, whose field ends with LF CRLF in the documentation', () => {
    const seed = '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e'
    const chunks = body([
      'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
      '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
      '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
    ]).slice(0, -2)
    const signature = 'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435'
    const name = 'x-amz-checksum-crc32c'
    const trailed = { decodedLength: 66_560, seedSignature: seed, trailer: name }
    const documented = `${name}:sOO8/Q==\n\r\nx-amz-trailer-signature:${signature}\r\n\r\n`
    const usual = `${name}:sOO8/Q==\r\nx-amz-trailer-signature:${signature}\r\n\r\n`
    expect(decode([chunks + documented], trailed).trailer).toBe('sOO8/Q==')
    expect(decode([chunks + usual], trailed).trailer).toBe('sOO8/Q==')
    expect(codeOf([chunks + usual.replace('sOO8', 'sOO9')], trailed)).toBe('SignatureDoesNotMatch')
    expect(codeOf([chunks + usual.replace(/signature:./, 'signature:0')], trailed)).toBe(
      'SignatureDoesNotMatch',
    )
    expect(codeOf([`${chunks}${name}:sOO8/Q==\r\n\r\n`], trailed)).toBe('MalformedTrailerError')
  })
})

const CRC = 'x-amz-checksum-crc32'
const unsigned = (decodedLength: number) => ({ decodedLength, trailer: CRC })
const END = `0\r\n${CRC}:AAAAAA==\r\n\r\n`

test('split at every byte, and at every pair of bytes', () => {
  const body = `2000\r\n${'x'.repeat(8192)}\r\n5\r\nhello\r\n${END}`
  const tail = body.length - 60
  const whole = decode([body], unsigned(8197))
  expect(whole.trailer).toBe('AAAAAA==')
  const digest = createHash('md5').update(whole.data).digest('hex')
  for (let i = 1; i < body.length; i++) {
    const at = [body.slice(0, i), body.slice(i)]
    expect(
      createHash('md5')
        .update(decode(at, unsigned(8197)).data)
        .digest('hex'),
    ).toBe(digest)
  }
  for (let i = tail; i < body.length; i++) {
    for (let j = i; j < body.length; j++) {
      expect(
        decode([body.slice(0, i), body.slice(i, j), body.slice(j)], unsigned(8197)).data.length,
      ).toBe(8197)
    }
  }
  expect(decode(body.split(''), unsigned(8197)).data.length).toBe(8197)
})

test('every prefix of a body is incomplete', () => {
  const body = `5\r\nhello\r\n${END}`
  for (let i = 0; i < body.length; i++) {
    expect(codeOf([body.slice(0, i)], unsigned(5))).toBe('IncompleteBody')
  }
})

test('an empty body has its frame all the same', () => {
  expect(decode([END], unsigned(0)).data.length).toBe(0)
  expect(decode(['0\r\n\r\n'], { decodedLength: 0 }).data.length).toBe(0)
  expect(codeOf([''], { decodedLength: 0 })).toBe('IncompleteBody')
})

test('contract 4.3: only the last chunk may be under 8192 bytes', () => {
  const body = (size: number) =>
    `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n5\r\nhello\r\n${END}`
  expect(codeOf([body(8192)], unsigned(8197))).toBe('whole')
  expect(codeOf([body(8191)], unsigned(8196))).toBe('InvalidChunkSizeError')
  const small = errorOf(() => decode([body(8191)], unsigned(8196)))
  expect(small.details).toEqual({ Chunk: '2', BadChunkSize: '5' })
})

describe('A11: frames that lie', () => {
  test.each<[string, string, string]>([
    ['no zero chunk', '5\r\nhello\r\n', 'IncompleteBody'],
    ['end inside a chunk', '5\r\nhel', 'IncompleteBody'],
    ['decoded length one less than declared', `4\r\nhell\r\n${END}`, 'IncompleteBody'],
    ['decoded length one more', `6\r\nhello!\r\n${END}`, 'IncompleteBody'],
    ['a size of 2⁶³ - 1', `7fffffffffffffff\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['17 digits', `00000000000000005\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['a negative size', `-1\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['a sign', `+5\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['0x', `0x5\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['a space', `5 \r\nhello\r\n${END}`, 'IncompleteBody'],
    ['an underscore', `0_5\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['no size', `\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['a bare line feed', `5\nhello\r\n${END}`, 'IncompleteBody'],
    ['no line end after the data', `5\r\nhello${END}`, 'IncompleteBody'],
    ['data longer than its size', `5\r\nhello!\r\n${END}`, 'IncompleteBody'],
    ['an extension where none belongs', `5;a=b\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['a megabyte of extension', `5;a=${'x'.repeat(1 << 20)}\r\nhello\r\n${END}`, 'IncompleteBody'],
    ['no trailer', '5\r\nhello\r\n0\r\n\r\n', 'MalformedTrailerError'],
    ['a trailer cut off', `5\r\nhello\r\n0\r\n${CRC}:AAAAAA==`, 'IncompleteBody'],
    [
      'a trailer twice',
      `5\r\nhello\r\n0\r\n${CRC}:AAAAAA==\r\n${CRC}:AAAAAA==\r\n\r\n`,
      'MalformedTrailerError',
    ],
    [
      'another trailer',
      '5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAAAA==\r\n\r\n',
      'MalformedTrailerError',
    ],
    [
      'one more trailer',
      `5\r\nhello\r\n0\r\n${CRC}:AAAAAA==\r\nx-amz-meta-a:b\r\n\r\n`,
      'MalformedTrailerError',
    ],
    ['a trailer without colon', `5\r\nhello\r\n0\r\n${CRC}\r\n\r\n`, 'MalformedTrailerError'],
    [
      'a signature nobody asked for',
      `5\r\nhello\r\n0\r\n${CRC}:AAAAAA==\r\nx-amz-trailer-signature:00\r\n\r\n`,
      'MalformedTrailerError',
    ],
    [
      'an endless trailer',
      `5\r\nhello\r\n0\r\n${CRC}:${'A'.repeat(1 << 20)}\r\n\r\n`,
      'MalformedTrailerError',
    ],
    ['another body behind', `5\r\nhello\r\n${END}5\r\nhello\r\n${END}`, 'MalformedTrailerError'],
    ['garbage behind', `5\r\nhello\r\n${END}x`, 'IncompleteBody'],
  ])('%s', (_, body, code) => {
    expect(codeOf([body], unsigned(5))).toBe(code)
    expect(
      codeOf(body.length < 1000 ? body.split('') : [body.slice(0, 3), body.slice(3)], unsigned(5)),
    ).toBe(code)
  })

  test('a trailer nobody announced', () => {
    expect(codeOf([`5\r\nhello\r\n${END}`], { decodedLength: 5 })).toBe('IncompleteBody')
  })

  test('nothing of a line without end is kept beyond the bound', () => {
    const decoder = createChunkedDecoder({
      decodedLength: 5,
      verifier: undefined,
      trailer: CRC,
      onTrailer: () => {},
    })
    const feed = () => {
      for (let i = 0; i < 2000; i++) decoder.push(Buffer.from('0'), () => {})
    }
    expect(feed).toThrow(S3Error)
  })
})
