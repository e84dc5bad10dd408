import { createHash, hash, type Hash } from 'node:crypto'
import type { StreamingSeed } from './authenticate.ts'
import { equalSignatures } from './sigv4.ts'

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/**
 * Checks the signatures inside a streamed body, each of which covers the one before it, the first that of the request:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html. Throws SignatureDoesNotMatch.
 */
export interface ChunkVerifier {
  /** Bytes of the chunk under way. */
  update(bytes: Buffer): void
  /** The chunk is whole: does it have this signature? */
  endChunk(signature: string): void
  /** `text` is the trailer's canonical form: `name:value` and a line feed for each field. */
  endTrailer(text: string, signature: string): void
}

export function createChunkVerifier(seed: StreamingSeed): ChunkVerifier {
  let previous = seed.seedSignature
  let content: Hash | undefined

  function expect(label: string, lastLines: string, signature: string): void {
    const toSign = `${label}\n${seed.timestamp}\n${seed.scope}\n${previous}\n${lastLines}`
    const expected = seed.signingKey.hex(toSign)
    if (!equalSignatures(expected, signature)) throw seed.mismatch(toSign, signature)
    previous = expected
  }

  return {
    update(bytes) {
      content ??= createHash('sha256')
      content.update(bytes)
    },
    endChunk(signature) {
      const digest = content === undefined ? EMPTY_SHA256 : content.digest('hex')
      content = undefined
      expect('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY_SHA256}\n${digest}`, signature)
    },
    endTrailer(text, signature) {
      expect(
        'AWS4-HMAC-SHA256-TRAILER',
        hash('sha256', Buffer.from(text, 'latin1'), 'hex'),
        signature,
      )
    },
  }
}
