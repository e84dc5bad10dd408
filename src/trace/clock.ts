/**
 * The clock of every span: CLOCK_MONOTONIC in nanoseconds as a double, the same clock the addon reads around each
 * system call, so that times taken here and there can be compared. A double holds nanoseconds exactly for 104 days of
 * uptime and to a few nanoseconds for years.
 */
export function nowNs(): number {
  return originNs + performance.now() * 1e6
}

const originNs = measureOrigin()

/** What performance.now() has to be raised by: the tightest of a few readings, for the first ones are microseconds wide. */
function measureOrigin(): number {
  let narrowest = Number.POSITIVE_INFINITY
  let origin = 0
  for (let round = 0; round < 16; round++) {
    const before = process.hrtime.bigint()
    const now = performance.now() * 1e6
    const width = Number(process.hrtime.bigint() - before)
    if (width >= narrowest) continue
    narrowest = width
    origin = Number(before) + width / 2 - now
  }
  return origin
}

/**
 * Where monotonic time stands on the wall clock. Nanoseconds since 1970 do not fit in a double, so both ways of
 * writing them are kept: OpenTelemetry's pair of seconds and nanoseconds, and the two halves of OTLP's fixed64.
 */
export interface Anchor {
  readonly monotonicNs: number
  readonly unixSeconds: number
  readonly unixNanoseconds: number
  readonly unixHigh: number
  readonly unixLow: number
}

/** Unix time as whole seconds and nanoseconds: OpenTelemetry's HrTime. */
export interface UnixTime {
  readonly seconds: number
  readonly nanoseconds: number
}

export function unixTime(ns: number, from: Anchor): UnixTime {
  const nanoseconds = from.unixNanoseconds + Math.round(ns - from.monotonicNs)
  const carry = Math.floor(nanoseconds / 1e9)
  return { seconds: from.unixSeconds + carry, nanoseconds: nanoseconds - carry * 1e9 }
}

const ANCHOR_LIFETIME_NS = 60e9

/** How far apart the wall clock and timeOrigin + performance.now() are, in milliseconds. */
let wallOffsetMs = 0
let anchor = takeAnchor()

/** The anchor a request starts with; all its spans keep it. Taken anew now and then, because the wall clock is slewed. */
export function currentAnchor(atNs: number): Anchor {
  if (atNs - anchor.monotonicNs > ANCHOR_LIFETIME_NS) anchor = takeAnchor()
  return anchor
}

function takeAnchor(): Anchor {
  const now = performance.now()
  const unixMs = performance.timeOrigin + now + correctedOffset(performance.timeOrigin + now)
  const unixSeconds = Math.floor(unixMs / 1000)
  const unixNanoseconds = Math.round((unixMs - unixSeconds * 1000) * 1e6)
  const unixNs = BigInt(unixSeconds) * 1_000_000_000n + BigInt(unixNanoseconds)
  return {
    monotonicNs: originNs + now * 1e6,
    unixSeconds,
    unixNanoseconds,
    unixHigh: Number(unixNs >> 32n),
    unixLow: Number(unixNs & 0xffff_ffffn),
  }
}

/**
 * Date.now() follows the clock as it is set and slewed, but cuts to milliseconds: the offset is moved only when the two
 * differ by more than that cut explains, so that neighbouring requests are not torn apart by a millisecond.
 */
function correctedOffset(extrapolatedMs: number): number {
  const ahead = extrapolatedMs + wallOffsetMs - Date.now()
  if (ahead < -0.5 || ahead > 1.5) wallOffsetMs -= ahead - 0.5
  return wallOffsetMs
}
