import { hmac, sha256, EMPTY_SHA256, type Signed } from './sigv4.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …-trailers.html */
export interface ChunkedOptions {
  readonly chunkSize?: number
  /** `name: value`, sent after the last chunk. */
  readonly trailers?: readonly (readonly [name: string, value: string])[]
  /** Changes a chunk's signature (by its number, the last empty one included) or the trailer's (`trailer`). */
  readonly mangle?: (signature: string, chunk: number | 'trailer') => string
}

/** A body of signed chunks, seeded with the signature of the request's head. */
export function signedChunks(body: Buffer, seed: Signed, options: ChunkedOptions = {}): Buffer {
  const { chunkSize = 65_536, trailers, mangle = (signature) => signature } = options
  const pieces: Buffer[] = []
  let previous = seed.signature
  const chunks = [...split(body, chunkSize), Buffer.alloc(0)]
  for (const [number, chunk] of chunks.entries()) {
    const toSign = [
      'AWS4-HMAC-SHA256-PAYLOAD',
      seed.amzDate,
      seed.scope,
      previous,
      EMPTY_SHA256,
      sha256(chunk),
    ].join('\n')
    previous = hmac(seed.key, toSign).toString('hex')
    const head = `${chunk.length.toString(16)};chunk-signature=${mangle(previous, number)}\r\n`
    const isLast = number === chunks.length - 1
    pieces.push(Buffer.from(head), chunk, Buffer.from(isLast ? '' : '\r\n'))
  }
  if (trailers === undefined) return Buffer.concat([...pieces, Buffer.from('\r\n')])
  const canonical = trailers.map(([name, value]) => `${name}:${value}\n`).join('')
  const toSign = [
    'AWS4-HMAC-SHA256-TRAILER',
    seed.amzDate,
    seed.scope,
    previous,
    sha256(canonical),
  ].join('\n')
  const signature = mangle(hmac(seed.key, toSign).toString('hex'), 'trailer')
  const lines = [...trailers, ['x-amz-trailer-signature', signature]].map(
    ([name = '', value = '']) => `${name}:${value}\r\n`,
  )
  return Buffer.concat([...pieces, Buffer.from(`${lines.join('')}\r\n`)])
}

export function unsignedChunks(body: Buffer, options: Omit<ChunkedOptions, 'mangle'> = {}): Buffer {
  const { chunkSize = 65_536, trailers = [] } = options
  const pieces = split(body, chunkSize).flatMap((chunk) => [
    Buffer.from(`${chunk.length.toString(16)}\r\n`),
    chunk,
    Buffer.from('\r\n'),
  ])
  const lines = trailers.map(([name, value]) => `${name}:${value}\r\n`)
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${lines.join('')}\r\n`)])
}

function split(body: Buffer, size: number): Buffer[] {
  const count = Math.ceil(body.length / size)
  return Array.from({ length: count }, (_, i) => body.subarray(i * size, (i + 1) * size))
}
