import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { ClientRequest, type IncomingMessage } from 'node:http'
import type { HrTime } from '@opentelemetry/api'
import { ZipkinExporter } from '@opentelemetry/exporter-zipkin'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node'
import type { BatchExporter } from './batching-sink.ts'

export interface ZipkinOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** A request without an answer is given up then. */
  readonly timeoutMs: number
}

/** Zipkin's JSON of version 2, by the official exporter: https://zipkin.io/zipkin-api/#/default/post_spans */
export function zipkinExporter({ url, headers, timeoutMs }: ZipkinOptions): BatchExporter {
  const exporter = new ZipkinExporter({ url, headers: { ...headers } })
  const requests = new OpenRequests(url)
  const send = (spans: ReadableSpan[]): Promise<void> =>
    new Promise((resolve, reject) => {
      // One at a time: what is open then is this one.
      const giveUp = (why: string): void => {
        clearTimeout(timer)
        reject(new Error(why))
        requests.end()
      }
      const timer = setTimeout(() => giveUp(`no answer within ${timeoutMs} ms`), timeoutMs).unref()
      requests.onLongAnswer = () => giveUp(`an answer of more than ${LONGEST_ANSWER} bytes`)
      exporter.export(spans, (result) => {
        clearTimeout(timer)
        // ExportResultCode.SUCCESS is 0.
        const code: number = result.code
        if (code === 0) resolve()
        else reject(result.error ?? new Error('export failed'))
      })
    })
  return {
    async export(traces) {
      const spans = traces.flatMap((trace) => trace.map(inMicroseconds))
      for (let at = 0; at < spans.length; at += SPANS_A_REQUEST)
        await send(spans.slice(at, at + SPANS_A_REQUEST))
    },
    close: () => exporter.shutdown(),
    abort() {
      requests.end()
      requests.close()
      return Promise.resolve()
    },
  }
}

/** https://nodejs.org/docs/latest/api/diagnostics_channel.html#http */
const STARTED = 'http.client.request.start'

/** Zipkin's is empty, an error page is short. */
const LONGEST_ANSWER = 64 * 1024

/**
 * Requests on their way to one URL. The exporter waits for ever for an answer and gives no hold on its requests: a Zipkin that
 * hangs, or a network that has lost it without a word, would keep connections and spans until the gateway ends. Of an answer
 * it makes one text, however long that is: one without an end would take the memory, and end the process where no text
 * can be longer.
 */
class OpenRequests {
  onLongAnswer: () => void = () => {}
  readonly #url: URL
  readonly #open = new Set<ClientRequest>()
  readonly #note = (message: unknown): void => {
    const request: unknown =
      typeof message === 'object' && message !== null ? Reflect.get(message, 'request') : undefined
    if (!(request instanceof ClientRequest) || !this.#isMeant(request)) return
    this.#open.add(request)
    request.once('close', () => this.#open.delete(request))
    request.once('response', (response) => this.#limit(response))
  }

  constructor(url: string) {
    this.#url = new URL(url)
    subscribe(STARTED, this.#note)
  }

  end(): void {
    for (const request of this.#open) request.destroy()
  }

  close(): void {
    unsubscribe(STARTED, this.#note)
  }

  #limit(response: IncomingMessage): void {
    let length = 0
    response.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > LONGEST_ANSWER) this.onLongAnswer()
    })
  }

  #isMeant({ method, path, host }: ClientRequest): boolean {
    const { pathname, search, hostname } = this.#url
    // Of an IPv6 address the request has no brackets.
    return method === 'POST' && path === pathname + search && hostname.includes(host)
  }
}

/** A span takes about a kilobyte, with the resource in each; Zipkin takes 10 MB at a time. */
const SPANS_A_REQUEST = 3000

/**
 * Zipkin's times are whole microseconds, and it refuses what is not; the exporter passes on what it gets, since spans of
 * the SDK begin at whole milliseconds.
 */
function inMicroseconds(span: ReadableSpan): ReadableSpan {
  return {
    ...span,
    startTime: whole(span.startTime),
    duration: whole(span.duration),
  }
}

function whole([seconds, nanoseconds]: HrTime): HrTime {
  return [seconds, Math.floor(nanoseconds / 1000) * 1000]
}
