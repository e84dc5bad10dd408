import { randomFillSync } from 'node:crypto'

/** Random words are drawn in blocks: one call a request would cost more than the rest of the record. */
const words = new Int32Array(2048)
const bytes = Buffer.from(words.buffer)
let used = words.length

/** A random 32-bit integer. */
export function randomWord(): number {
  if (used === words.length) {
    randomFillSync(words)
    used = 0
  }
  return words[used++] ?? 0
}

/** 32 lower-case hex digits, not all zero: https://www.w3.org/TR/trace-context/#trace-id */
export function newTraceId(): string {
  if (used + 4 > words.length) {
    randomFillSync(words)
    used = 0
  }
  const id = bytes.toString('hex', used * 4, used * 4 + 16)
  used += 4
  return id === '00000000000000000000000000000000' ? newTraceId() : id
}

/** 16 lower-case hex digits of a span id that is kept as two words. */
export function spanIdText(high: number, low: number): string {
  return hexWord(high, HEX) + hexWord(low, HEX)
}

/** The same in capitals. */
export function spanIdInCapitals(high: number, low: number): string {
  return hexWord(high, CAPITAL_HEX) + hexWord(low, CAPITAL_HEX)
}

/**
 * `toString(16)` of a large number goes by way of doubles, and `toUpperCase` is a call into the engine: digits from a table
 * are several times as fast.
 */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const CAPITAL_HEX = HEX.map((digits) => digits.toUpperCase())

function hexWord(word: number, digits: readonly string[]): string {
  return (
    (digits[word >>> 24] ?? '') +
    (digits[(word >>> 16) & 255] ?? '') +
    (digits[(word >>> 8) & 255] ?? '') +
    (digits[word & 255] ?? '')
  )
}

/** The 32-bit integer that eight hex digits from `at` on spell. */
export function wordAt(hex: string, at: number): number {
  let word = 0
  for (let i = at; i < at + 8; i++) word = (word << 4) | (DIGITS[hex.charCodeAt(i)] ?? 0)
  return word
}

/** What a hex digit counts, by its character. */
const DIGITS = new Uint8Array(128)
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16)
  DIGITS[digit.charCodeAt(0)] = value
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value
}
