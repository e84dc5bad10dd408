import { isIPv6 } from 'node:net'
import type { FailureNote } from './failure-news.ts'

/** A count is half of what it was after this time without failures. */
const HALF_LIFE_MS = 30_000
/** Slips of configured clients and of people cost nothing. */
const FREE = 20
const STEP_MS = 20
const LONGEST_MS = 500
const MAX_KEYS = 10_000
const LONGEST_KEY = 128

/**
 * How often requests failed to prove who they are, by the address they came from and by the access key they named; the
 * counts fade. It holds a limited number of both: whoever has not failed for longest is forgotten first.
 */
export class FailureCounts {
  total = 0
  readonly #byAddress = new Map<string, Count>()
  readonly #byAccessKey = new Map<string, Count>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Counts a failure, and says how many milliseconds its answer is to wait. */
  add(address: string, accessKey: string): number {
    this.total++
    const now = this.#now()
    const count = Math.max(
      addTo(this.#byAddress, networkOf(address), now),
      addTo(this.#byAccessKey, accessKey.slice(0, LONGEST_KEY), now),
    )
    return Math.min(LONGEST_MS, Math.max(0, Math.round(count - FREE) * STEP_MS))
  }

  /** Counts what failed in another process of the gateway, and is in its `total`. */
  addElsewhere({ address, accessKey, times }: FailureNote): void {
    const now = this.#now()
    addTo(this.#byAddress, networkOf(address), now, times)
    addTo(this.#byAccessKey, accessKey.slice(0, LONGEST_KEY), now, times)
  }

  /** Addresses and access keys held. */
  get size(): number {
    return this.#byAddress.size + this.#byAccessKey.size
  }
}

interface Count {
  readonly value: number
  readonly atMs: number
}

function addTo(counts: Map<string, Count>, key: string, now: number, times = 1): number {
  const known = counts.get(key)
  const faded = known === undefined ? 0 : known.value * 2 ** ((known.atMs - now) / HALF_LIFE_MS)
  counts.delete(key)
  for (const oldest of counts.keys()) {
    if (counts.size < MAX_KEYS) break
    counts.delete(oldest)
  }
  counts.set(key, { value: faded + times, atMs: now })
  return faded + times
}

/** Whoever has one IPv6 address has all of its /64: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.1 */
export function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address.replace(/^.*:(?=[\d.]+$)/, '')
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':')
    while (groups.length + last.length < 8) groups.push('0')
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
