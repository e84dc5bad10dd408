import { randomFillSync } from 'node:crypto'
import type { ModifiedTime } from '../../../io/io.ts'
import { NULL_VERSION, isVersionName } from './layout.ts'

/**
 * Version ids are ULIDs: 48 bits of time in milliseconds and 80 random ones, in Crockford's base 32, so that they sort by
 * time as text.
 */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_DIGITS = 10
const LENGTH = 26
const RANDOM_DIGITS = LENGTH - TIME_DIGITS

/** A new id. It sorts behind the version it takes the place of, whatever the clocks of those who made that say. */
export function newVersionId(before: DatedVersion | undefined): string {
  const nowMs = Date.now()
  if (before === undefined) return timeDigits(nowMs) + randomDigits()
  if (before.id === NULL_VERSION) {
    const isNear = before.mtimeMs > nowMs && before.mtimeMs < nowMs + NEAR_MS
    return timeDigits(isNear ? Math.floor(before.mtimeMs) : nowMs) + randomDigits()
  }
  const id = timeDigits(nowMs) + randomDigits()
  return id > before.id ? id : (successor(before.id) ?? id)
}

/** A file's time may be anything; only clocks that differ a little are made up for. */
const NEAR_MS = 60_000

/** The time of a new null version: behind that of the version it takes the place of, by the same rule. */
export function nullVersionTime(before: DatedVersion | undefined): ModifiedTime {
  const nowMs = Date.now()
  const beforeMs = before === undefined || before.id === NULL_VERSION ? 0 : madeAtMs(before)
  const ms = beforeMs >= nowMs && beforeMs < nowMs + NEAR_MS ? beforeMs + 1 : nowMs
  return { mtimeSec: Math.floor(ms / 1000), mtimeNsec: (ms % 1000) * 1_000_000 }
}

function timeDigits(ms: number): string {
  let digits = ''
  for (let rest = ms; digits.length < TIME_DIGITS; rest = Math.floor(rest / 32))
    digits = (DIGITS[rest % 32] ?? '0') + digits
  return digits
}

const random = Buffer.alloc(RANDOM_DIGITS)

function randomDigits(): string {
  let digits = ''
  for (const byte of randomFillSync(random)) digits += DIGITS[byte % 32] ?? '0'
  return digits
}

/** The id that sorts next; undefined where there is none, or what stands there is no id. */
function successor(id: string): string | undefined {
  for (let at = id.length - 1; at >= 0; at--) {
    const digit = DIGITS.indexOf(id[at] ?? '')
    if (digit < 0) return undefined
    const next = DIGITS[digit + 1]
    if (next === undefined) continue
    const found = id.slice(0, at) + next + '0'.repeat(id.length - at - 1)
    return isVersionName(found) ? found : undefined
  }
  return undefined
}

/** When a version was made, ms since the epoch: by its id, or by its file's time where it has none. */
function madeAtMs({ id, mtimeMs }: DatedVersion): number {
  if (id === NULL_VERSION) return Math.floor(mtimeMs)
  let ms = 0
  for (const digit of id.slice(0, TIME_DIGITS)) ms = ms * 32 + DIGITS.indexOf(digit)
  return ms
}

export interface DatedVersion {
  readonly id: string
  readonly mtimeMs: number
}

/**
 * Newest first. A null version stands where its file's time puts it; of one millisecond it is the oldest: VersityGW's is
 * the moment in which it was superseded, right before the id of the next was made.
 */
export function compareVersions(a: DatedVersion, b: DatedVersion): number {
  if (a.id === NULL_VERSION || b.id === NULL_VERSION) {
    const difference = madeAtMs(b) - madeAtMs(a)
    return difference === 0 ? (a.id === NULL_VERSION ? 1 : -1) : difference
  }
  return a.id < b.id ? 1 : -1
}
