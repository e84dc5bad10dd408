import { randomFillSync } from 'node:crypto'

/** Random bytes are drawn in blocks: one call a request would cost more than the rest of the record. */
const block = Buffer.allocUnsafeSlow(8192)
let used = block.length

function randomHex(bytes: number): string {
  if (used + bytes > block.length) {
    randomFillSync(block)
    used = 0
  }
  const hex = block.toString('hex', used, used + bytes)
  used += bytes
  return hex
}

/** 32 lower-case hex digits, not all zero: https://www.w3.org/TR/trace-context/#trace-id */
export function newTraceId(): string {
  const id = randomHex(16)
  return id === '00000000000000000000000000000000' ? newTraceId() : id
}

/** 16 lower-case hex digits, not all zero. */
export function newSpanId(): string {
  const id = randomHex(8)
  return id === '0000000000000000' ? newSpanId() : id
}
