import { shownUrl } from './endpoint.ts'
import type { TraceLog } from './tracing-config.ts'

/** Where traces should arrive, as a person is told it. */
export interface ExportTarget {
  readonly url: string
  /** It is spoken to with TLS, and may not know TLS. */
  readonly tls: boolean
}

/** Between two lines about the same trouble. */
const INTERVAL_MS = 60_000

/**
 * Says that traces are not leaving, at most once a minute however many are lost, and that they leave again. With
 * the debug log every failed export is a line.
 */
export class ExportLog {
  readonly #log: TraceLog
  readonly #target: ExportTarget
  readonly #url: string
  #nextMs = 0
  #nextRejectedMs = 0
  #lost = 0
  #rejected = 0
  #isReported = false
  #everWorked = false
  /** Why exports fail, since the last one that did not. */
  #cause: string | undefined

  constructor(log: TraceLog, target: ExportTarget) {
    this.#log = log
    this.#target = target
    this.#url = shownUrl(target.url)
  }

  succeeded(): void {
    this.#everWorked = true
    this.#cause = undefined
    if (!this.#isReported) return
    this.#isReported = false
    this.#log('info', `traces are leaving again (${this.#url}); ${this.#lost} spans were lost`)
    this.#lost = 0
  }

  failed(error: Error, spans: number): void {
    this.#log('debug', `export of ${spans} spans to ${this.#url} failed: ${error.message}`)
    this.#failing(error, spans)
  }

  /** Nothing is lost yet, but it is better known before that. */
  retrying(error: Error, spans: number): void {
    this.#log('debug', `export of ${spans} spans to ${this.#url} is tried again: ${error.message}`)
    this.#failing(error, 0)
  }

  queueFull(spans: number): void {
    // Behind a receiver that is away the queue fills up as well.
    this.#trouble(this.#cause ?? 'the queue is full: the receiver does not keep up', spans)
  }

  /** Its answer is a success otherwise: of the rest nothing is said. */
  rejected(spans: number): void {
    this.#rejected += spans
    const now = performance.now()
    if (now < this.#nextRejectedMs) return
    this.#nextRejectedMs = now + INTERVAL_MS
    this.#log('warn', `the receiver at ${this.#url} rejected spans: ${this.#rejected} so far`)
  }

  stopped(spans: number): void {
    this.#log('warn', `${spans} spans had not left for ${this.#url} when the gateway stopped`)
  }

  #failing(error: Error, lost: number): void {
    this.#cause = `${error.message}${this.#hint(error)}`
    this.#trouble(this.#cause, lost)
  }

  #trouble(what: string, spans: number): void {
    this.#lost += spans
    const now = performance.now()
    if (now < this.#nextMs) return
    this.#nextMs = now + INTERVAL_MS
    this.#isReported = true
    this.#log(
      'warn',
      `traces are not leaving for ${this.#url}: ${what}; ${this.#lost} spans lost so far`,
    )
  }

  /** A receiver that speaks no TLS answers its greeting with something else, or not at all. */
  #hint(error: Error): string {
    if (!this.#target.tls || this.#everWorked) return ''
    const text = `${error.message} ${'code' in error ? String(error.code) : ''}`
    if (/certificate|CERT_|self.signed|altnames/i.test(text))
      return " (the receiver's certificate is not trusted here)"
    if (/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/.test(text)) return ''
    return ' (if the receiver speaks no TLS: add --otel-insecure)'
  }
}
