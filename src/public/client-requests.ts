import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import type { Span, Tracing } from './types.ts'

/** A fetch whose requests are spans and carry the trace on. Of the URL only host and port are shown. */
export function tracedFetch(tracing: Tracing): typeof globalThis.fetch {
  return (input, init) => {
    const request = new Request(input, init)
    return tracing.scope(
      `HTTP ${request.method}`,
      async (span) => {
        span.setAll(addressOf(new URL(request.url)))
        for (const [name, value] of Object.entries(tracing.inject()))
          request.headers.set(name, value)
        const response = await globalThis.fetch(request)
        tellStatus(span, response.status)
        return response
      },
      { kind: 'client', attributes: { 'http.request.method': request.method } },
    )
  }
}

/**
 * Makes spans of the requests that Node itself announces on its diagnostics channels, those of fetch and of node:http, while
 * there is a current span: the requests of exporters have none. fetch carries the trace on; node:http where Node says that
 * a request was made before its head is written (22.12 and later). Returns what stops it.
 */
export function instrumentRequests(tracing: Tracing): () => void {
  const requests = new ClientRequests(tracing)
  const listeners = [...fetchListeners(requests), ...httpListeners(requests)]
  for (const [channel, listen] of listeners) subscribe(channel, listen)
  return () => {
    for (const [channel, listen] of listeners) unsubscribe(channel, listen)
  }
}

type Listener = readonly [channel: string, listen: (message: unknown) => void]

/** Requests under way and their spans. */
class ClientRequests {
  readonly #tracing: Tracing
  readonly #spans = new WeakMap<object, Span>()

  constructor(tracing: Tracing) {
    this.#tracing = tracing
  }

  /** `add` puts a header on a request whose head has not been written. */
  open(request: object, method: string, url: URL | undefined, add?: AddHeader): void {
    if (this.#spans.has(request) || this.#tracing.currentSpan() === undefined) return
    const span = this.#tracing.startSpan(`HTTP ${method}`, {
      kind: 'client',
      attributes: { 'http.request.method': method, ...addressOf(url) },
    })
    this.#spans.set(request, span)
    if (add === undefined) return
    const headers = this.#tracing.runIn(span, () => this.#tracing.inject())
    for (const [name, value] of Object.entries(headers)) add(name, value)
  }

  answered(request: object, status: number): void {
    const span = this.#spans.get(request)
    if (span !== undefined) tellStatus(span, status)
  }

  close(request: object, error?: unknown): void {
    const span = this.#spans.get(request)
    this.#spans.delete(request)
    if (error !== undefined) span?.fail(error)
    span?.end()
  }
}

type AddHeader = (name: string, value: string) => unknown

/** https://github.com/nodejs/undici/blob/main/docs/docs/api/DiagnosticsChannel.md */
function fetchListeners(requests: ClientRequests): Listener[] {
  return [
    [
      'undici:request:create',
      (message) => {
        const { request } = message as { request: UndiciRequest }
        const url = parseUrl(String(request.origin))
        requests.open(request, request.method, url, (name, value) => request.addHeader(name, value))
      },
    ],
    [
      'undici:request:headers',
      (message) => {
        const { request, response } = message as Answered
        requests.answered(request, response.statusCode ?? 0)
      },
    ],
    ['undici:request:trailers', (message) => requests.close((message as Answered).request)],
    ['undici:request:error', (message) => fail(requests, message)],
  ]
}

/** https://nodejs.org/docs/latest/api/diagnostics_channel.html#http */
function httpListeners(requests: ClientRequests): Listener[] {
  const open = (message: unknown, isNew: boolean): void => {
    const { request } = message as { request: ClientRequest }
    const add = (name: string, value: string): unknown => request.setHeader(name, value)
    const canAdd = isNew && !request.headersSent
    requests.open(request, request.method, hostOf(request), canAdd ? add : undefined)
  }
  return [
    ['http.client.request.created', (message) => open(message, true)],
    ['http.client.request.start', (message) => open(message, false)],
    [
      'http.client.response.finish',
      (message) => {
        const { request, response } = message as Answered
        requests.answered(request, response.statusCode ?? 0)
        requests.close(request)
      },
    ],
    ['http.client.request.error', (message) => fail(requests, message)],
  ]
}

function fail(requests: ClientRequests, message: unknown): void {
  const { request, error } = message as { request: object; error: unknown }
  requests.close(request, error)
}

interface UndiciRequest {
  readonly origin: unknown
  readonly method: string
  addHeader(name: string, value: string): unknown
}

interface Answered {
  readonly request: object
  readonly response: { readonly statusCode?: number | undefined }
}

function addressOf(url: URL | undefined): Record<string, string | number> {
  if (url === undefined) return {}
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return { 'server.address': url.hostname, 'server.port': port }
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

function hostOf(request: ClientRequest): URL | undefined {
  return parseUrl(`${request.protocol}//${String(request.getHeader('host') ?? request.host)}`)
}

/** A client's span has failed with any error status: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status */
function tellStatus(span: Span, status: number): void {
  span.set('http.response.status_code', status)
  if (status >= 400)
    span.fail(Object.assign(new Error(`status ${status}`), { name: `HTTP${status}` }))
}
