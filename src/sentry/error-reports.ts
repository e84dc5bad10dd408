import { errorFacts } from '../error-facts.ts'
import { correlationIds } from '../trace/correlation.ts'
import type { Span } from '../trace/recorder.ts'
import { RateLimit } from './rate-limit.ts'
import type { ErrorEvent, ReportClient } from './sentry.ts'

/**
 * Reports of what went wrong on our side: each answer of 5xx, each crash. Never waits, never throws, and takes no more than
 * so many at a time; what is not taken is counted and told in the log once a minute.
 */
export interface ErrorReports {
  answered(failure: FailedAnswer): void
  /** `origin`: uncaughtException or unhandledRejection. */
  crashed(thrown: unknown, origin: string): void
  /** Sends what waits for so long at most, then stops. */
  close(limitMs: number): Promise<void>
  /** Errors that were not reported: too many at once, or nobody took them. */
  readonly lost: number
}

export interface FailedAnswer {
  /** The root of its request. */
  readonly root: Span
  readonly error: unknown
  /** S3's, as the client is told. */
  readonly code: string
  readonly status: number
  readonly method: string
}

export type ReportLog = (facts: Readonly<Record<string, unknown>>, message: string) => void

/** So many at once after a quiet time, then so many a second: a full disk fails every request. */
const BURST = 300
const PER_SECOND = 5

const LOG_EVERY_MS = 60_000

export function createErrorReports(client: ReportClient, log: ReportLog): ErrorReports {
  const rate = new RateLimit(BURST, PER_SECOND)
  let heldBack = 0
  let told = 0
  let nextTellMs = 0
  const tellLoss = (): void => {
    const lost = heldBack + client.lost()
    const now = performance.now()
    if (lost === told || now < nextTellMs) return
    nextTellMs = now + LOG_EVERY_MS
    told = lost
    log({ held_back: heldBack, not_taken: client.lost() }, 'errors are not reported to Sentry')
  }
  const send = (event: ErrorEvent): void => {
    if (rate.take()) client.send(event)
    else heldBack++
    tellLoss()
  }
  return {
    answered: ({ root, error, code, status, method }) =>
      send({
        level: 'error',
        ids: correlationIds(root),
        facts: errorFacts(error),
        operation: root.name,
        tags: {
          'error.type': code,
          'http.request.method': METHODS.has(method) ? method : 'other',
          'http.response.status_code': String(status),
        },
      }),
    crashed: (thrown, origin) =>
      send({
        level: 'fatal',
        ids: undefined,
        facts: errorFacts(thrown),
        operation: undefined,
        tags: { 'error.type': origin },
      }),
    get lost() {
      return heldBack + client.lost()
    },
    async close(limitMs) {
      await client.close(limitMs)
      nextTellMs = 0
      tellLoss()
    },
  }
}

/** A method may be any word of the client's. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS'])
