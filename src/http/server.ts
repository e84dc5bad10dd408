import {
  createServer as createHttpServer,
  ServerResponse,
  type Server as HttpServer,
} from 'node:http'
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext } from 'node:tls'
import { bindClosed, openSocket } from '../io/unix-socket.ts'
import { S3Error } from '../s3/errors.ts'
import { requestId } from '../trace/correlation.ts'
import { Recorder } from '../trace/recorder.ts'
import { expandNames } from './addresses.ts'
import { countConnections, type ConnectionCounts } from './connections.ts'
import { hostId } from './ids.ts'
import { unixUrl, type Listener, type UnixListener } from './listener.ts'
import { clearSocketFile } from './places.ts'
import { RequestMessage } from './request-message.ts'
import { errorDocument } from './xml.ts'

export interface ServerOptions {
  readonly listeners: readonly Listener[]
  /** Whether they are `sharedPlaces`, which another process binds for this one: false unless said otherwise. */
  readonly isShared?: boolean
  /** Mode of socket files; undefined leaves it to the umask. */
  readonly socketMode: number | undefined
  readonly tls: TlsPair | undefined
  /** Over all listeners. */
  readonly maxConnections: number
  /** Counted here, where somebody wants to know. */
  readonly connections?: ConnectionCounts
  /** For a request's head to arrive whole. */
  readonly headerTimeoutMs: number
  /** Between two requests of a connection. */
  readonly idleTimeoutMs: number
  readonly onRequest: (incoming: RequestMessage, outgoing: ServerResponse) => void
  /** A request whose client waits for `100 Continue` before it sends the body. */
  readonly onExpectContinue: (incoming: RequestMessage, outgoing: ServerResponse) => void
  /** Called for every head that could not be parsed. */
  readonly onMalformed: (recorder: Recorder, status: number, code: string) => void
}

/** PEM: a certificate chain and its private key. */
export interface TlsPair {
  readonly cert: Buffer
  readonly key: Buffer
}

export interface HttpServers {
  /** Resolves with their URLs when all sockets listen; rejects with the first error, such as EADDRINUSE. */
  listen(): Promise<readonly string[]>
  /** What connections from now on are offered. Throws where the two are no pair; then the ones in use stay. */
  setTls(pair: TlsPair): void
  /** No new connections; those in use may finish for `graceMs`, then are cut. */
  close(graceMs: number): Promise<void>
}

type Server = HttpServer<typeof RequestMessage>

const BACKLOG = 4096

/** Above this a head is refused by the parser itself, with 431; above `CONTRACT_HEAD_BYTES` by us, with S3's 400. */
const PARSER_HEAD_BYTES = 16 * 1024

/**
 * Node's defaults are made for small bodies: `requestTimeout` (300 s) would cut a long upload, so it is off and the
 * stall timers of body and answer take its place.
 */
const NODE_OPTIONS = {
  requestTimeout: 0,
  maxHeaderSize: PARSER_HEAD_BYTES,
  // A missing Host is answered by us, as an S3 error.
  requireHostHeader: false,
  IncomingMessage: RequestMessage,
  noDelay: true,
  connectionsCheckingInterval: 10_000,
}

export function createServers(options: ServerOptions): HttpServers {
  const servers: Server[] = []
  const { connections = { open: 0, accepted: 0, refused: 0 } } = options
  let { tls } = options
  return {
    async listen() {
      const { listeners: given, isShared = false } = options
      const listeners = isShared ? given : await expandNames(given)
      return Promise.all(
        listeners.map((listener) => {
          const server = createServer(options, tls, connections)
          servers.push(server)
          return listenOn(server, listener, options)
        }),
      )
    },
    setTls(pair) {
      const secure = { ...pair, ...TLS_OPTIONS }
      createSecureContext(secure)
      tls = pair
      for (const server of servers)
        if (server instanceof HttpsServer) server.setSecureContext(secure)
    },
    close: async (graceMs) => {
      await Promise.all(servers.map((server) => closeServer(server, graceMs)))
    },
  }
}

const TLS_OPTIONS = { minVersion: 'TLSv1.2' } as const

function createServer(
  options: ServerOptions,
  tls: TlsPair | undefined,
  connections: ConnectionCounts,
): Server {
  const node = {
    ...NODE_OPTIONS,
    headersTimeout: options.headerTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
  }
  const server =
    tls === undefined
      ? createHttpServer(node)
      : createHttpsServer({ ...node, ...tls, ...TLS_OPTIONS, ALPNProtocols: ['http/1.1'] })
  countConnections(server, connections, options.maxConnections)
  server.on('request', options.onRequest)
  server.on('checkContinue', options.onExpectContinue)
  server.on('checkExpectation', options.onRequest)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    answerMalformed(error, socket, options),
  )
  return server
}

async function listenOn(
  server: Server,
  listener: Listener,
  options: ServerOptions,
): Promise<string> {
  if ('path' in listener) return listenOnPath(server, listener, options)
  await bound(server, () => server.listen({ ...listener, backlog: BACKLOG }))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP listener')
  return urlOf(address, options.tls !== undefined)
}

async function listenOnPath(
  server: Server,
  listener: UnixListener,
  { socketMode: mode, isShared = false }: ServerOptions,
): Promise<string> {
  const { path } = listener
  const isFile = !path.startsWith('\0')
  if (!isShared) await clearSocketFile(path)
  const listen = (): Server => server.listen({ path, backlog: BACKLOG })
  if (!isFile || isShared || mode === undefined) {
    await bound(server, listen)
  } else {
    await bound(server, () => bindClosed(listen))
    await openSocket(path, mode)
  }
  return unixUrl(listener)
}

function bound(server: Server, listen: () => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => {
      server.off('error', reject)
      resolve()
    })
    listen()
  })
}

function urlOf({ family, address, port }: AddressInfo, tls: boolean): string {
  const host = family === 'IPv6' ? `[${address}]` : address
  return `${tls ? 'https' : 'http'}://${host}:${port}`
}

function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}

/** The parser gave up: there is no request, only a socket to answer on. */
function answerMalformed(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  options: ServerOptions,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const current = currentAnswer(socket)
  if (current !== undefined && failBody(current, error)) return
  if (current?.headersSent === true) {
    // Bytes of an answer under way may not be followed by another one's head.
    socket.destroy()
    return
  }
  const [answer, reason] = malformedAnswer(error.code)
  const recorder = new Recorder(false, undefined)
  const body = errorDocument(answer, { requestId: requestId(recorder), hostId: hostId(recorder) })
  socket.end(
    `HTTP/1.1 ${answer.status} ${reason}\r\nServer: VERSITYGW\r\nX-Amz-Request-Id: ${requestId(recorder)}\r\n` +
      `X-Amz-Id-2: ${hostId(recorder)}\r\nX-Trace-ID: ${recorder.traceId}\r\nDate: ${new Date().toUTCString()}\r\n` +
      `Content-Type: application/xml\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
  options.onMalformed(recorder, answer.status, answer.code)
}

/** The answer that Node would write next on this socket, if a request is being served on it. */
function currentAnswer(socket: Duplex): ServerResponse | undefined {
  const current: unknown = Reflect.get(socket, '_httpMessage')
  return current instanceof ServerResponse ? current : undefined
}

/**
 * A body that ends early or is framed wrongly is the matter of whoever reads it: he answers, under the ids of its request, on
 * the side of the connection that still works.
 */
function failBody(outgoing: ServerResponse, error: Error): boolean {
  const incoming = outgoing.req
  if (!(incoming instanceof RequestMessage) || outgoing.headersSent || incoming.complete)
    return false
  if (!incoming.hasTaker && incoming.listenerCount('error') === 0) return false
  outgoing.shouldKeepAlive = false
  if (incoming.hasTaker) incoming.cutBody(error)
  else incoming.emit('error', error)
  return true
}

function malformedAnswer(code: string | undefined): [S3Error, string] {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const details = { MaxSizeAllowed: '8192' }
    return [
      new S3Error('RequestHeaderSectionTooLarge', details, { status: 431 }),
      'Request Header Fields Too Large',
    ]
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [new S3Error('RequestTimeout'), 'Bad Request']
  return [new S3Error('BadRequest'), 'Bad Request']
}
