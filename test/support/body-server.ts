import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Authentication } from '../../src/auth/authenticate.ts'
import { createPayload, type RequestPayload } from '../../src/http/body.ts'
import { RequestMessage } from '../../src/http/request-message.ts'
import { parseRequest } from '../../src/http/request.ts'
import { whileTesting } from './listening.ts'

/** How long a client may send nothing: longer than a busy machine lets one wait that sends all the time. */
export const STALL_MS = 1500
const MAX_OBJECT_SIZE = 10_000_000

export const UNSIGNED: Authentication = {
  identity: { accessKey: 'a', role: 'admin', isRoot: true },
  method: 'header',
  payload: 'unsigned',
  hasTrailer: false,
  declaredSha256: undefined,
  streaming: undefined,
}

/** What a test does with the body of the one request it sends. */
export type Use = (payload: RequestPayload, incoming: RequestMessage) => Promise<unknown>

export interface SendOptions {
  readonly auth?: Authentication
  /** Called once the first bytes have been written. */
  readonly after?: (socket: Socket) => void
}

/** A real server whose handler is nothing but a payload: what arrives is what a socket delivered. */
export class BodyServer {
  /** How often the body of the last request was asked for. */
  continues = 0
  #exchange: ((incoming: RequestMessage, outgoing: ServerResponse) => void) | undefined
  readonly #port: () => number
  readonly #server = createServer({ requestTimeout: 0, IncomingMessage: RequestMessage })

  constructor() {
    const serve = (incoming: RequestMessage, outgoing: ServerResponse): void =>
      this.#exchange?.(incoming, outgoing)
    this.#server.on('request', serve).on('checkContinue', serve)
    this.#port = whileTesting(this.#server)
  }

  /** Sends bytes over a fresh connection; resolves with what `use` returned or threw. */
  async send(bytes: string, use: Use, options: SendOptions = {}): Promise<unknown> {
    this.continues = 0
    const outcome = new Promise((resolve) => {
      this.#exchange = (incoming, outgoing) => {
        const payload = this.#payloadOf(incoming, outgoing, options.auth ?? UNSIGNED)
        void use(payload, incoming)
          .then(resolve, resolve)
          .finally(() => outgoing.end('done'))
      }
    })
    const socket = connect(this.#port(), '127.0.0.1')
    await once(socket, 'connect')
    socket.on('error', () => {})
    socket.write(bytes, 'latin1')
    options.after?.(socket)
    const result = await outcome
    socket.destroy()
    return result
  }

  #payloadOf(
    incoming: RequestMessage,
    outgoing: ServerResponse,
    auth: Authentication,
  ): RequestPayload {
    const request = parseRequest(incoming, { virtualDomain: undefined })
    return createPayload(request, incoming, auth, {
      stallMs: STALL_MS,
      maxObjectSize: MAX_OBJECT_SIZE,
      onContinue: () => {
        this.continues++
        if (incoming.headers.expect !== undefined) outgoing.writeContinue()
      },
    })
  }
}

/** The head of a PUT, with these lines. */
export function headOf(...lines: string[]): string {
  return `PUT /b/k HTTP/1.1\r\nHost: h\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
}
