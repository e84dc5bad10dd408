import { performance } from 'node:perf_hooks'

/** A client that waits for each answer sends its next request within such a time. */
const SOON_NS = 500_000
/** So many requests in a row, each alone and soon after the one before, are such a client's. */
const SURE = 4

const { nodeTiming } = performance

/**
 * Tells when requests come one by one, from a client that waits for each answer: a chain is the only one then, and
 * since the one before it the event loop has met one event, the request, and had to wait for that. A completion that
 * the loop was told of is a second event.
 */
export class LoneClient {
  #events = 0
  #eventsWaiting = 0
  /** Falls fast, so that one crowd is noticed, and a single other event soon forgotten. */
  #inARow = 0

  /** To be asked at each chain: how long ago the last ended, and whether the loop has waited for that by itself. */
  isSeen(isOnly: boolean, agoNs: number, wasAwaited: boolean): boolean {
    const { events, eventsWaiting } = nodeTiming.uvMetricsInfo
    const met = events - this.#events
    const isIdle = wasAwaited ? met <= 1 && eventsWaiting === this.#eventsWaiting : met <= 2
    this.#events = events
    this.#eventsWaiting = eventsWaiting
    if (isOnly && agoNs < SOON_NS && isIdle) this.#inARow = Math.min(this.#inARow + 1, 2 * SURE)
    else this.#inARow = Math.max(this.#inARow - SURE, 0)
    return this.#inARow > SURE
  }
}
