import { loadAddon } from './addon.ts'
import { kindBit, kindBytes } from './hashers.ts'
import type { HashKind } from './io.ts'

let addon: ReturnType<typeof loadAddon> | undefined

/**
 * A digest of a small document, on the calling thread: one of a few kilobytes is not worth the way to the pool. Object
 * bytes are hashed by chains.
 */
export function computeDigest(kind: HashKind, bytes: Buffer): Buffer {
  addon ??= loadAddon()
  const digest = Buffer.alloc(kindBytes(kind))
  addon.digest(kindBit(kind), bytes, digest)
  return digest
}

/**
 * Whether `hex`, 64 lower-case digits, is the HMAC-SHA256 (RFC 2104) of `message` and, behind it, the hexadecimal SHA-256 of
 * `hashed`, under a key of at most 64 bytes. Texts are of one character a byte (ISO-8859-1). The time it takes does not depend on
 * where `hex` is wrong. Every request is signed so, and one call costs a quarter of what node:crypto takes in three.
 */
export function isHmacSha256(key: Buffer, message: string, hashed: string, hex: string): boolean {
  addon ??= loadAddon()
  return addon.isHmac(key, message, hashed, hex)
}
