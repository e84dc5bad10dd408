import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Listener } from '../http/listener.ts'
import { createServers, type HttpServers } from '../http/server.ts'
import type { Family } from './family.ts'
import { chooseFormat, CONTENT_TYPES } from './negotiate.ts'
import { render, type Format } from './render.ts'

export interface MetricsListenerOptions {
  readonly listeners: readonly Listener[]
  readonly socketMode: number | undefined
  readonly collect: () => Promise<readonly Family[]>
  readonly onFault: (error: unknown) => void
}

/** A few scrapers and whoever tries by hand. */
const MAX_CONNECTIONS = 64
const HEADER_TIMEOUT_MS = 5000
const IDLE_TIMEOUT_MS = 75_000
/** An answer that is not taken by then is cut off. */
const ANSWER_TIMEOUT_MS = 10_000

/** `GET /metrics` and nothing else. It asks for no credentials and tells no names: it belongs on a private address. */
export function createMetricsListener(options: MetricsListenerOptions): HttpServers {
  const { listeners, socketMode, onFault } = options
  return createServers({
    listeners,
    socketMode,
    tls: undefined,
    maxConnections: MAX_CONNECTIONS,
    headerTimeoutMs: HEADER_TIMEOUT_MS,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    onRequest(incoming, outgoing) {
      outgoing.on('error', () => undefined)
      outgoing.setTimeout(ANSWER_TIMEOUT_MS, () => outgoing.destroy())
      serve(incoming, outgoing, options).catch((error: unknown) => {
        onFault(error)
        if (outgoing.headersSent) outgoing.destroy()
        else answer(outgoing, 500, 'metrics could not be gathered; the log says why\n')
      })
    },
    onExpectContinue: (_, outgoing) => answer(outgoing, 417, 'no 100 here\n'),
    onMalformed: () => undefined,
  })
}

async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { collect }: MetricsListenerOptions,
): Promise<void> {
  const { method, url = '', headers } = incoming
  // A body is nothing we wait for.
  const hasBody =
    headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
  if (hasBody) return answer(outgoing, 413, 'a scrape has no body\n', { Connection: 'close' })
  if (url.replace(/\?.*$/s, '') !== '/metrics') return answer(outgoing, 404, 'try /metrics\n')
  if (method !== 'GET' && method !== 'HEAD')
    return answer(outgoing, 405, 'GET or HEAD\n', { Allow: 'GET, HEAD' })
  const format = chooseFormat(headers.accept)
  const text = rendered(await collect(), format)
  answer(outgoing, 200, text, { 'Content-Type': CONTENT_TYPES[format], Vary: 'Accept' })
}

/** Scrapes that were one are rendered once. */
const texts = new WeakMap<readonly Family[], Map<Format, string>>()

function rendered(families: readonly Family[], format: Format): string {
  const known = texts.get(families) ?? new Map<Format, string>()
  texts.set(families, known)
  const text = known.get(format) ?? render(families, format)
  known.set(format, text)
  return text
}

function answer(
  outgoing: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(text)
  outgoing.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  })
  outgoing.end(outgoing.req.method === 'HEAD' ? undefined : bytes)
}
