import type { ServerResponse } from 'node:http'
import type { TraceFilter } from './api-types.ts'
import { answerError, begin } from './answer.ts'
import type { Asked, NewsMarks } from './questions.ts'
import { TracesBusy } from './threaded-traces.ts'
import type { TraceSource } from './trace-source.ts'

/** How many may follow at a time. */
const MAX_FOLLOWERS = 16
const EVERY_MS = 500
/** Proxies cut what is silent. */
const SIGN_OF_LIFE_MS = 15_000
/** What a follower has not taken yet; beyond it he misses news. */
const MAX_WAITING_BYTES = 1024 * 1024

/** What is followed. */
export interface Followed {
  readonly filter: TraceFilter
  /** Of traces in one event. */
  readonly limit: number
  /** Asked now and then: a session ends, an account goes. */
  readonly mayStay: () => Promise<boolean>
}

/** Those who see new traces as they come: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class Followers {
  readonly #source: TraceSource
  readonly #open = new Set<ServerResponse>()

  constructor(source: TraceSource) {
    this.#source = source
  }

  add(outgoing: ServerResponse, followed: Followed): void {
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
    this.#follow(outgoing, followed).then(end, end)
  }

  close(): void {
    for (const outgoing of this.#open) outgoing.destroy()
  }

  async #follow(outgoing: ServerResponse, { filter, limit, mayStay }: Followed): Promise<void> {
    let marks: NewsMarks | undefined
    let aliveMs = performance.now()
    let missed = 0
    while (this.#open.has(outgoing)) {
      const news = await this.#news(filter, limit, { marks, missed })
      const now = performance.now()
      if (news !== undefined) {
        marks = news.marks
        missed = 0
        if (outgoing.writableLength > MAX_WAITING_BYTES) {
          missed = news.count
        } else if (news.count > 0) {
          outgoing.write(`event: traces\ndata: ${Buffer.from(news.body).toString()}\n\n`)
          aliveMs = now
        }
      }
      if (now - aliveMs > SIGN_OF_LIFE_MS) {
        if (!(await mayStay())) return
        outgoing.write(': still here\n\n')
        aliveMs = now
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS).unref())
    }
  }

  /** None where others ask so much that there is no time: the next turn has what came meanwhile. */
  async #news(...asked: Parameters<TraceSource['news']>): Promise<Asked | undefined> {
    try {
      return await this.#source.news(...asked)
    } catch (error) {
      if (error instanceof TracesBusy) return undefined
      throw error
    }
  }
}
