import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

export interface HttpTls {
  readonly verify: boolean
  /** PEM texts. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export interface HttpCall {
  readonly method: string
  /** Request target, percent-encoded, after the path of the endpoint. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  readonly signal: AbortSignal
  /**
   * True where asking twice changes nothing. Such a call may use a connection that stands, and is sent once more where the
   * service closed that connection in the same moment.
   */
  readonly repeatable: boolean
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Larger answers are refused. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

const MAX_SOCKETS = 16

/** HTTP to one service, with a bounded number of connections and answers of bounded size. Redirects are not followed. */
export class HttpClient {
  readonly base: URL
  readonly #send: typeof httpRequest
  readonly #standing: HttpAgent
  readonly #single: HttpAgent

  /** Throws where the endpoint is no http URL. */
  constructor(endpoint: string, tls: HttpTls) {
    this.base = parseEndpoint(endpoint)
    const { verify: rejectUnauthorized, ...pem } = tls
    const secure = this.base.protocol === 'https:'
    const Agent = secure ? HttpsAgent : HttpAgent
    const options = { maxSockets: MAX_SOCKETS, ...(secure && { rejectUnauthorized, ...pem }) }
    this.#send = secure ? httpsRequest : httpRequest
    this.#standing = new Agent({ ...options, keepAlive: true, maxFreeSockets: 4 })
    this.#single = new Agent({ ...options, keepAlive: false })
  }

  /** Rejects where there is no complete answer; any status is one. */
  async send(call: HttpCall): Promise<HttpAnswer> {
    try {
      return await this.#exchange(call)
    } catch (error) {
      if (!call.repeatable || !(error instanceof StaleConnection)) throw error
      return await this.#exchange(call)
    }
  }

  close(): void {
    this.#standing.destroy()
    this.#single.destroy()
  }

  #exchange(call: HttpCall): Promise<HttpAnswer> {
    const { promise, resolve, reject } = deferred<HttpAnswer>()
    const body = call.body === undefined ? undefined : Buffer.from(call.body)
    const request = this.#send(this.base, {
      method: call.method,
      path: this.target(call.path),
      headers: { ...call.headers, ...(body && { 'content-length': String(body.length) }) },
      agent: call.repeatable ? this.#standing : this.#single,
      signal: call.signal,
    })
    request.on('error', (error) => reject(isStale(request, error) ? new StaleConnection() : error))
    request.on('response', (response) => {
      collect(response).then((body) => resolve(answerOf(response, body)), reject)
    })
    request.end(body)
    return promise
  }

  /** The whole request target: a path of the endpoint stands before the call's. */
  target(path: string): string {
    return this.base.pathname.replace(/\/+$/, '') + path
  }
}

class StaleConnection extends Error {
  constructor() {
    super('the service closed the connection')
  }
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new Error(`"${endpoint}" is not an http or https URL`)
}

function isStale(request: ClientRequest, error: NodeJS.ErrnoException): boolean {
  return request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES)
      throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, body: Buffer): HttpAnswer {
  return { status: statusCode, headers, body }
}

function deferred<T>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
} {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
