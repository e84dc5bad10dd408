import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { HashKind } from '../io/io.ts'

/**
 * A digest of a small document, on the main thread. Object bytes are hashed by the addon; a document of a few kilobytes
 * is not worth the way to its pool.
 */
export function computeDigest(kind: HashKind, bytes: Buffer): Buffer {
  return DIGESTS[kind](bytes)
}

const DIGESTS: Readonly<Record<HashKind, (bytes: Buffer) => Buffer>> = {
  md5: (bytes) => hash('md5', bytes, 'buffer'),
  sha1: (bytes) => hash('sha1', bytes, 'buffer'),
  sha256: (bytes) => hash('sha256', bytes, 'buffer'),
  crc32: (bytes) => bigEndian([crc32(bytes)]),
  crc32c: (bytes) => bigEndian([crc32c(bytes)]),
  crc64nvme: (bytes) => bigEndian(crc64nvme(bytes)),
}

function bigEndian(words: readonly number[]): Buffer {
  const digest = Buffer.alloc(words.length * 4)
  words.forEach((word, i) => digest.writeUInt32BE(word >>> 0, i * 4))
  return digest
}

/** Reflected polynomials, 64-bit ones in two halves, the high one first. */
const CRC32C_POLYNOMIAL = 0x82f63b78
const CRC64NVME_POLYNOMIAL = [0x9a6c9329, 0xac4bc9b5] as const

/** Castagnoli: RFC 3720 appendix B.4. */
function crc32c(bytes: Uint8Array): number {
  const table = crc32cTable()
  let crc = ~0
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0)
  return ~crc
}

/** The CRC of NVMe's data integrity extension, which S3 computes where nothing else is asked. */
function crc64nvme(bytes: Uint8Array): [high: number, low: number] {
  const table = crc64Table()
  let high = ~0
  let low = ~0
  for (const byte of bytes) {
    const entry = ((low ^ byte) & 0xff) * 2
    low = ((low >>> 8) | (high << 24)) ^ (table[entry + 1] ?? 0)
    high = (high >>> 8) ^ (table[entry] ?? 0)
  }
  return [~high, ~low]
}

let crc32cEntries: Int32Array | undefined
let crc64Entries: Int32Array | undefined

function crc32cTable(): Int32Array {
  return (crc32cEntries ??= Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0)
    return crc
  }))
}

function crc64Table(): Int32Array {
  if (crc64Entries !== undefined) return crc64Entries
  const table = new Int32Array(512)
  const [polynomialHigh, polynomialLow] = CRC64NVME_POLYNOMIAL
  for (let byte = 0; byte < 256; byte++) {
    let high = 0
    let low = byte
    for (let bit = 0; bit < 8; bit++) {
      const carry = low & 1
      low = (low >>> 1) | (high << 31)
      high >>>= 1
      if (carry === 1) {
        low ^= polynomialLow
        high ^= polynomialHigh
      }
    }
    table[byte * 2] = high
    table[byte * 2 + 1] = low
  }
  return (crc64Entries = table)
}
