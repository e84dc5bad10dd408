import { hash } from 'node:crypto'
import { isHmacSha256 } from '../io/digest.ts'

const BLOCK = 64
const DIGEST = 32

/**
 * HMAC-SHA256 (RFC 2104) under one key, its two pads kept.
 *
 * `crypto.hash()` over a padded message takes a tenth of `createHmac()`'s time on Node 24, and the keys are few: one
 * a day and account. The buffers are reused, so a digest is taken and read within one turn.
 */
export class HmacKey {
  readonly #key: Buffer
  #inner: Buffer
  readonly #outer: Buffer

  constructor(key: Uint8Array) {
    const short = key.byteLength > BLOCK ? hash('sha256', key, 'buffer') : Buffer.from(key)
    this.#key = short
    this.#inner = Buffer.alloc(BLOCK + 256)
    this.#outer = Buffer.alloc(BLOCK + DIGEST)
    this.#inner.fill(0x36, 0, BLOCK)
    this.#outer.fill(0x5c, 0, BLOCK)
    for (let i = 0; i < short.byteLength; i++) {
      this.#inner[i] = 0x36 ^ (short[i] ?? 0)
      this.#outer[i] = 0x5c ^ (short[i] ?? 0)
    }
  }

  /** Of a message of ISO-8859-1 text, one byte a character. */
  hex(message: string): string {
    return hash('sha256', this.#outerBlock(message), 'hex')
  }

  /** Whether a signature, in hexadecimal, is that of a message and, behind it, the hexadecimal SHA-256 of a second text. */
  signed(signature: string, message: string, hashed: string): boolean {
    return isHmacSha256(this.#key, message, hashed, signature)
  }

  bytes(message: string): Buffer {
    return hash('sha256', this.#outerBlock(message), 'buffer')
  }

  #outerBlock(message: string): Buffer {
    const length = BLOCK + message.length
    if (length > this.#inner.length) {
      const larger = Buffer.alloc(length)
      this.#inner.copy(larger, 0, 0, BLOCK)
      this.#inner = larger
    }
    this.#inner.write(message, BLOCK, 'latin1')
    this.#outer.write(hash('sha256', this.#inner.subarray(0, length), 'binary'), BLOCK, 'latin1')
    return this.#outer
  }
}

/** Finds the key that signs for a secret on a day in a region. */
export type SigningKeys = (secret: string, date: string, region: string) => HmacKey

/**
 * Signing keys, derived once and kept: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * A presigned URL chooses its own day, so anyone can ask for many: beyond `limit` the oldest goes.
 */
export function createSigningKeys(limit = 1024): SigningKeys {
  const keys = new Map<string, HmacKey>()
  // Most requests are signed as the one before.
  let last = { secret: '', date: '', region: '', key: undefined as HmacKey | undefined }
  return (secret, date, region) => {
    if (last.key !== undefined && last.secret === secret && last.date === date)
      if (last.region === region) return last.key
    const id = `${date}/${region}/${secret}`
    let key = keys.get(id)
    if (key === undefined) {
      key = deriveSigningKey(secret, date, region)
      for (const oldest of keys.keys()) {
        if (keys.size < limit) break
        keys.delete(oldest)
      }
      keys.set(id, key)
    }
    last = { secret, date, region, key }
    return key
  }
}

function deriveSigningKey(secret: string, date: string, region: string): HmacKey {
  const ofDate = new HmacKey(Buffer.from(`AWS4${secret}`, 'utf8')).bytes(date)
  const ofRegion = new HmacKey(ofDate).bytes(region)
  const ofService = new HmacKey(ofRegion).bytes('s3')
  return new HmacKey(new HmacKey(ofService).bytes('aws4_request'))
}
