import { createHash } from 'node:crypto'
import { crc32 as zlibCrc32 } from 'node:zlib'

/** The checksums of S3, bit by bit from their polynomials: slow, short, and nothing shared with what is tested. */
export type ChecksumName = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256'

export function checksum(algorithm: ChecksumName, data: Buffer | string): string {
  return FUNCTIONS[algorithm](Buffer.from(data))
}

const FUNCTIONS: Readonly<Record<ChecksumName, (bytes: Buffer) => string>> = {
  CRC32: (bytes) => uint32(zlibCrc32(bytes)),
  CRC32C: (bytes) => uint32(crc32c(bytes)),
  CRC64NVME: (bytes) => crc64nvme(bytes),
  SHA1: (bytes) => createHash('sha1').update(bytes).digest('base64'),
  SHA256: (bytes) => createHash('sha256').update(bytes).digest('base64'),
}

export function md5Hex(data: Buffer | string): string {
  return createHash('md5').update(data).digest('hex')
}

export function md5Base64(data: Buffer | string): string {
  return createHash('md5').update(data).digest('base64')
}

/** The ETag of a multipart object. */
export function multipartEtag(parts: readonly (Buffer | string)[]): string {
  const digests = parts.map((part) => createHash('md5').update(part).digest())
  return `"${md5Hex(Buffer.concat(digests))}-${parts.length}"`
}

function uint32(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes.toString('base64')
}

const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++)
    value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value >>> 0
})

function crc32c(bytes: Buffer): number {
  let value = 0xffff_ffff
  for (const byte of bytes) value = (CRC32C_TABLE[(value ^ byte) & 255] ?? 0) ^ (value >>> 8)
  return (value ^ 0xffff_ffff) >>> 0
}

/** Halves of 32 bits: bigint is too slow for megabytes. */
const CRC64_TABLE = Array.from({ length: 256 }, (_, byte) => {
  let value = BigInt(byte)
  for (let bit = 0; bit < 8; bit++)
    value = (value & 1n) === 1n ? (value >> 1n) ^ 0x9a6c_9329_ac4b_c9b5n : value >> 1n
  return [Number(value >> 32n), Number(value & 0xffff_ffffn)] as const
})

function crc64nvme(bytes: Buffer): string {
  let high = 0xffff_ffff
  let low = 0xffff_ffff
  for (const byte of bytes) {
    const [tableHigh, tableLow] = CRC64_TABLE[(low ^ byte) & 255] ?? [0, 0]
    low = ((low >>> 8) | (high << 24)) ^ tableLow
    high = (high >>> 8) ^ tableHigh
  }
  const sum = Buffer.alloc(8)
  sum.writeUInt32BE((high ^ 0xffff_ffff) >>> 0, 0)
  sum.writeUInt32BE((low ^ 0xffff_ffff) >>> 0, 4)
  return sum.toString('base64')
}
