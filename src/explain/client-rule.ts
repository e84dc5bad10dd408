import type { Evidence } from './evidence.ts'
import { unknown, type Verdict } from './verdict.ts'
import { duration, size } from './words.ts'

/** Bytes a second that nobody calls slow: more than a network of 1 Gbit/s brings. */
const FAST_CLIENT = 125e6

export function clientRule(evidence: Evidence, ms: number): Verdict | undefined {
  const { bytes, bodyWaitMs, sums, direction } = evidence
  const sending = bodyWaitMs > ms / 2
  const during = ms + (sums.get('data') ?? 0) + (sums.get('hash') ?? 0)
  const moved = sending === (direction === 'in') ? bytes : undefined
  if (moved !== undefined && (moved / during) * 1000 > FAST_CLIENT)
    return fastClient(evidence, sending, (moved / during) * 1000)
  return {
    cause: 'slow-client',
    verdict: sending
      ? 'The client, or the network from it, was slow to send the body.'
      : 'The client, or the network to it, was slow to take the answer.',
  }
}

/** The share of the time from which on a disk that had to be asked is more than a detail. */
const COLD_SHARE = 0.2

function fastClient(
  { sums, cachedPercent = 100, totalMs }: Evidence,
  sending: boolean,
  rate: number,
): Verdict {
  const dataMs = sums.get('data') ?? 0
  const isCold = !sending && cachedPercent < 50
  if (isCold && dataMs > totalMs * COLD_SHARE)
    return {
      cause: 'cold-cache',
      verdict: `The data was not in the page cache: ${duration(dataMs)} went into reading it from the disk.`,
    }
  const verb = sending ? 'sent' : 'took'
  const beside = isCold ? ' It came from the disk, which kept up.' : ''
  return unknown(`The client ${verb} ${size(rate)}/s, which is not slow: it is much data.${beside}`)
}
