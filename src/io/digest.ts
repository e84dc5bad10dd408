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
