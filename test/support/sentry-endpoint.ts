import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'

/** The parts of an event that tests look at: https://develop.sentry.dev/sdk/data-model/event-payloads/ */
export interface ReceivedEvent {
  readonly event_id: string
  readonly level: string
  readonly release?: string
  readonly environment?: string
  readonly transaction?: string
  readonly contexts?: { readonly trace?: { readonly trace_id: string; readonly span_id: string } }
  readonly tags?: Readonly<Record<string, string>>
  readonly exception?: {
    readonly values: readonly {
      readonly type: string
      readonly value: string
      readonly stacktrace?: { readonly frames: readonly object[] }
    }[]
  }
}

/**
 * What stands in for Sentry: takes envelopes over HTTP (https://develop.sentry.dev/sdk/data-model/envelopes/) and keeps
 * what came.
 */
export interface SentryEndpoint {
  readonly dsn: string
  /** All that was received: request lines, headers, envelopes. */
  readonly text: string
  readonly events: readonly ReceivedEvent[]
  /** Types of all items. */
  readonly items: readonly string[]
  /** `hang`: takes a request and does not answer; `refuse`: 500; `limit`: 429, which asks for an hour of silence. */
  fault: 'none' | 'hang' | 'refuse' | 'limit'
  /** Requests so far, whatever they were answered. */
  readonly requests: number
  waitForEvents(count: number): Promise<readonly ReceivedEvent[]>
  close(): Promise<void>
}

export async function startSentryEndpoint(): Promise<SentryEndpoint> {
  const events: ReceivedEvent[] = []
  const items: string[] = []
  let text = ''
  let requests = 0
  const take = (envelope: string): void => {
    const [, ...lines] = envelope.split('\n')
    for (let i = 0; i + 1 < lines.length; i += 2) {
      const { type } = JSON.parse(lines[i] ?? '')
      items.push(type)
      if (type === 'event') events.push(JSON.parse(lines[i + 1] ?? ''))
    }
  }
  const answer = (response: ServerResponse): void => {
    if (endpoint.fault === 'none') response.end('{}')
    else if (endpoint.fault === 'refuse') response.writeHead(500).end()
    else if (endpoint.fault === 'limit') response.writeHead(429, { 'Retry-After': '3600' }).end()
  }
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      requests++
      const body = Buffer.concat(pieces)
      const envelope = String(
        request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body,
      )
      text += `${request.method} ${request.url}\n${JSON.stringify(request.rawHeaders)}\n${envelope}\n`
      if (endpoint.fault === 'none') take(envelope)
      answer(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const endpoint: SentryEndpoint = {
    dsn: `http://dsnpublickey@127.0.0.1:${port}/42`,
    get text() {
      return text
    },
    get requests() {
      return requests
    },
    events,
    items,
    fault: 'none',
    async waitForEvents(count) {
      const deadline = performance.now() + 60_000
      while (events.length < count) {
        if (performance.now() > deadline)
          throw new Error(`${events.length} of ${count} events came: ${text}`)
        await delay(10)
      }
      return events
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return endpoint
}
