/**
 * The clock of every span: CLOCK_MONOTONIC in nanoseconds as a double, the same clock the addon reads around each
 * system call, so that times taken here and there can be compared. A double holds nanoseconds exactly for 104 days of
 * uptime and to a few nanoseconds for years.
 */
const originNs = Number(process.hrtime.bigint()) - performance.now() * 1e6

export function nowNs(): number {
  return originNs + performance.now() * 1e6
}

/** Unix time, split in whole seconds and nanoseconds: together they do not fit in a double. */
export interface UnixTime {
  readonly seconds: number
  readonly nanoseconds: number
}

/** How far apart wall clock and monotonic clock are; taken anew now and then, because NTP slews the wall clock. */
interface Anchor {
  readonly monotonicNs: number
  readonly unixMs: number
}

let anchor: Anchor = takeAnchor()

function takeAnchor(): Anchor {
  return { monotonicNs: nowNs(), unixMs: performance.timeOrigin + performance.now() }
}

const ANCHOR_LIFETIME_NS = 60e9

/** Moves the anchor when it is old. Called once a request, so that all spans of one request share an anchor. */
export function currentAnchor(atNs: number): Anchor {
  if (atNs - anchor.monotonicNs > ANCHOR_LIFETIME_NS) {
    // timeOrigin is fixed at process start; Date.now follows the clock as it is set and slewed.
    anchor = { monotonicNs: nowNs(), unixMs: Date.now() }
  }
  return anchor
}

export function unixTime(ns: number, from: Anchor): UnixTime {
  const wholeSeconds = Math.floor(from.unixMs / 1000)
  const nanoseconds = Math.round((from.unixMs - wholeSeconds * 1000) * 1e6 + (ns - from.monotonicNs))
  const carry = Math.floor(nanoseconds / 1e9)
  return { seconds: wholeSeconds + carry, nanoseconds: nanoseconds - carry * 1e9 }
}

export type { Anchor }
