import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import type { HeaderList } from './sigv4.ts'

/** Secrets that are planted one in each place, so that a leak says where it came from. */
export class Canaries {
  readonly #places = new Map<string, string>()

  /** A new secret. Letters and digits only: it stands for itself in headers, URLs, XML and JSON. */
  plant(place: string): string {
    const secret = `cnry${randomBytes(12).toString('hex')}`
    this.#places.set(secret, place)
    return secret
  }

  get planted(): number {
    return this.#places.size
  }

  /** The places whose secrets `text` holds: as they are, in any case, in hex, in base64 at any offset. */
  foundIn(text: string): string[] {
    const lower = text.toLowerCase()
    const found = [...this.#places].filter(
      ([secret]) =>
        lower.includes(secret) ||
        lower.includes(Buffer.from(secret).toString('hex')) ||
        base64Cores(secret).some((core) => text.includes(core)),
    )
    return found.map(([, place]) => place)
  }
}

/** What all base64 texts have in common that hold `text` at an offset of 0, 1 or 2 within a group. */
function base64Cores(text: string): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from('x'.repeat(offset) + text).toString('base64')
    return encoded.slice(offset === 0 ? 0 : 4, Math.floor((offset + text.length) / 3) * 4)
  })
}

/** Headers that hold secrets or may, and are no matter of anybody but client and gateway. */
export function plantedHeaders(plant: (place: string) => string): HeaderList {
  return [
    ['X-Amz-Security-Token', plant('session token')],
    ['Cookie', `session=${plant('cookie')}`],
    ['Proxy-Authorization', `Basic ${plant('proxy authorization')}`],
    ['X-Api-Key', plant('an unknown header')],
    [`X-${plant('the name of an unknown header')}`, '1'],
    ['x-amz-server-side-encryption-customer-key', plant('SSE-C key')],
    ['x-amz-server-side-encryption-customer-key-MD5', plant('MD5 of an SSE-C key')],
    ['x-amz-copy-source-server-side-encryption-customer-key', plant('SSE-C key of a source')],
    ['x-amz-server-side-encryption-context', plant('SSE context')],
    ['x-amz-mfa', plant('MFA code')],
    ['x-amz-meta-note', plant('user metadata')],
    ['Referer', `http://host/b/k?X-Amz-Signature=${plant('a URL in Referer')}`],
    ['User-Agent', `tool/1.0 token=${plant('user agent')}`],
    ['If-Modified-Since', plant('a date that is none')],
    ['X-Amzn-Trace-Id', `Self=${plant('a trace of X-Ray')}`],
    ['X-Correlation-Id', plant('a correlation id')],
    ['baggage', `secret=${plant('baggage')}`],
    ['Forwarded', `for=${plant('Forwarded')}`],
    ['Via', `1.1 ${plant('Via')}`],
    ['From', plant('From')],
    ['Content-Disposition', `attachment; filename=${plant('Content-Disposition')}`],
  ]
}

/** A server that takes whatever is sent to it over HTTP: OTLP, Zipkin, Sentry. */
export interface Capture {
  readonly url: string
  readonly port: number
  /** Bodies of the requests whose path begins so. */
  bodies(path: string): string
  /** Resolves when such a body has come. */
  waitFor(path: string, text: string): Promise<void>
  close(): Promise<void>
}

export async function startCapture(): Promise<Capture> {
  const received: { readonly path: string; readonly body: string }[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const bytes = Buffer.concat(pieces)
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
      received.push({ path: request.url ?? '', body: body.toString('latin1') })
      const isOtlp = request.headers['content-type'] === 'application/x-protobuf'
      response.writeHead(200, isOtlp ? { 'content-type': 'application/x-protobuf' } : {})
      response.end(isOtlp ? undefined : '{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const capture: Capture = {
    port,
    url: `http://127.0.0.1:${port}`,
    bodies: (path) =>
      received
        .filter((one) => one.path.startsWith(path))
        .map(({ body }) => body)
        .join('\n'),
    async waitFor(path, text) {
      const deadline = performance.now() + 60_000
      while (!capture.bodies(path).includes(text)) {
        if (performance.now() > deadline) throw new Error(`no ${text} came to ${path}`)
        await delay(20)
      }
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return capture
}
