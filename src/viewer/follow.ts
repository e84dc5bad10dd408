import type { ServerResponse } from 'node:http'
import type { TraceFilter, TraceNews } from './api-types.ts'
import { answerError, begin } from './answer.ts'
import type { NewsMark, TraceSource } from './trace-source.ts'

/** How many may follow at a time. */
const MAX_FOLLOWERS = 16
const EVERY_MS = 500
const MAX_ROWS = 100
/** Proxies cut what is silent. */
const SIGN_OF_LIFE_MS = 15_000
/** What a follower has not taken yet; beyond it he misses news. */
const MAX_WAITING_BYTES = 1024 * 1024

/** Those who see new traces as they come: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class Followers {
  readonly #source: TraceSource
  readonly #open = new Set<ServerResponse>()

  constructor(source: TraceSource) {
    this.#source = source
  }

  /** `mayStay` is asked now and then: a session ends, an account goes. */
  add(outgoing: ServerResponse, filter: TraceFilter, mayStay: () => Promise<boolean>): void {
    if (this.#open.size >= MAX_FOLLOWERS) {
      answerError(outgoing, 503, { error: 'too many follow already' }, { 'Retry-After': '10' })
      return
    }
    this.#open.add(outgoing)
    begin(outgoing, 200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' })
    outgoing.write('retry: 2000\n\n')
    const end = (): void => {
      this.#open.delete(outgoing)
      outgoing.end()
    }
    outgoing.on('close', end)
    this.#follow(outgoing, filter, mayStay).then(end, end)
  }

  close(): void {
    for (const outgoing of this.#open) outgoing.destroy()
  }

  async #follow(
    outgoing: ServerResponse,
    filter: TraceFilter,
    mayStay: () => Promise<boolean>,
  ): Promise<void> {
    let mark: NewsMark | undefined
    let aliveMs = performance.now()
    let missed = 0
    while (this.#open.has(outgoing)) {
      const { traces, skipped, mark: next } = await this.#source.news(filter, MAX_ROWS, mark)
      mark = next
      const now = performance.now()
      if (outgoing.writableLength > MAX_WAITING_BYTES) {
        missed += traces.length + skipped
      } else if (traces.length > 0 || skipped + missed > 0) {
        const news: TraceNews = { traces, skipped: skipped + missed }
        outgoing.write(`event: traces\ndata: ${JSON.stringify(news)}\n\n`)
        missed = 0
        aliveMs = now
      }
      if (now - aliveMs > SIGN_OF_LIFE_MS) {
        if (!(await mayStay())) return
        outgoing.write(': still here\n\n')
        aliveMs = now
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS).unref())
    }
  }
}
