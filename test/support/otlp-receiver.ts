import { once } from 'node:events'
import {
  createServer as createHttp,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import {
  createSecureServer,
  createServer as createHttp2,
  type IncomingHttpHeaders as Http2Headers,
  type ServerHttp2Stream,
} from 'node:http2'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { decodeExportRequest, type ReceivedSpan } from './otlp-protobuf.ts'

export interface ReceiverOptions {
  readonly protocol: 'grpc' | 'http'
  /** Speaks TLS with this certificate, and where `ca` is given asks for one that it has signed. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string }
  /** Chosen by the system unless given: one that was closed comes back on its old port. */
  readonly port?: number
  /** Answers every export with partial success and this many rejected spans. */
  readonly rejectedSpans?: number
}

/**
 * What a receiver may do wrong: `disconnect` ends each connection at once, `hang` reads and never answers, `slow` answers
 * after `slowMs`, `unavailable` answers 503 or UNAVAILABLE, `bad-request` 400 or INVALID_ARGUMENT, `throttled` 429 or
 * RESOURCE_EXHAUSTED and to come back after `retryAfterS`.
 */
export type Fault = 'none' | 'disconnect' | 'hang' | 'slow' | Refusal

type Refusal = 'unavailable' | 'bad-request' | 'throttled'

export interface ReceivedExport {
  readonly headers: IncomingHttpHeaders | Http2Headers
  readonly compressed: boolean
  /** Of the message, uncompressed. */
  readonly bytes: number
  readonly spans: readonly ReceivedSpan[]
}

/**
 * A real OTLP receiver: takes exports over gRPC or HTTP/protobuf, decodes them, and keeps them to be asked about. It
 * knows nothing of the gateway, so that tests of a program from outside can use it as well.
 */
export interface OtlpReceiver {
  readonly port: number
  /** With scheme. */
  readonly url: string
  readonly exports: readonly ReceivedExport[]
  /** When each export came, whatever was answered: milliseconds of `performance.now()`. */
  readonly askedMs: readonly number[]
  fault: Fault
  slowMs: number
  /** Whole seconds, below 128. */
  retryAfterS: number
  spans(): ReceivedSpan[]
  trace(traceId: string): ReceivedSpan[]
  /** The spans of a trace once `complete` holds for them: unless given, once the root and all parents are there. */
  waitForTrace(
    traceId: string,
    complete?: (spans: ReceivedSpan[]) => boolean,
    timeoutMs?: number,
  ): Promise<ReceivedSpan[]>
  waitFor(condition: () => boolean, what: string, timeoutMs?: number): Promise<void>
  /** Names, indented by depth, in the order of their starts. */
  tree(traceId: string): string
  clear(): void
  close(): Promise<void>
}

interface Answer {
  readonly refusal?: Refusal
  readonly body: Uint8Array
}

export async function startOtlpReceiver(options: ReceiverOptions): Promise<OtlpReceiver> {
  const exports: ReceivedExport[] = []
  const askedMs: number[] = []
  const sockets = new Set<Socket>()
  const handle = async (
    message: Buffer,
    compressed: boolean,
    headers: ReceivedExport['headers'],
  ): Promise<Answer | undefined> => {
    const { fault } = receiver
    askedMs.push(performance.now())
    if (fault === 'hang') return undefined
    if (fault === 'slow') await delay(receiver.slowMs)
    if (fault === 'unavailable' || fault === 'bad-request' || fault === 'throttled')
      return { refusal: fault, body: new Uint8Array() }
    const bytes = compressed ? gunzipSync(message) : message
    exports.push({ headers, compressed, bytes: bytes.length, spans: decodeExportRequest(bytes) })
    return { body: partialSuccess(options.rejectedSpans ?? 0) }
  }
  const server =
    options.protocol === 'grpc'
      ? grpcServer(options, handle, () => receiver.retryAfterS)
      : httpServer(options, handle, () => receiver.retryAfterS)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    if (receiver.fault === 'disconnect') socket.destroy()
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const receiver: OtlpReceiver = {
    port,
    url: `${options.tls === undefined ? 'http' : 'https'}://localhost:${port}`,
    exports,
    askedMs,
    fault: 'none',
    slowMs: 1000,
    retryAfterS: 1,
    spans: () => exports.flatMap((received) => received.spans),
    trace: (traceId) => receiver.spans().filter((span) => span.traceId === traceId),
    async waitForTrace(traceId, complete = isWhole, timeoutMs = 60_000) {
      const deadline = performance.now() + timeoutMs
      for (;;) {
        const spans = receiver.trace(traceId)
        if (spans.length > 0 && complete(spans)) return spans
        if (performance.now() > deadline)
          throw new Error(`trace ${traceId} is not there:\n${formatTree(spans) || '(no span)'}`)
        await delay(10)
      }
    },
    async waitFor(condition, what, timeoutMs = 60_000) {
      const deadline = performance.now() + timeoutMs
      while (!condition()) {
        if (performance.now() > deadline) throw new Error(`the receiver waited in vain for ${what}`)
        await delay(10)
      }
    },
    tree: (traceId) => formatTree(receiver.trace(traceId)),
    clear: () => void exports.splice(0),
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      if (server.listening) await once(server, 'close')
    },
  }
  return receiver
}

/** A root has come, and every other span's parent. */
function isWhole(spans: ReceivedSpan[]): boolean {
  const ids = new Set(spans.map((span) => span.spanId))
  return (
    spans.some((span) => span.kind === 'SERVER') &&
    spans.every((span) => span.kind === 'SERVER' || ids.has(span.parentSpanId))
  )
}

/** Spans as an indented tree of names; what has no parent among them stands at the margin. */
function formatTree(spans: readonly ReceivedSpan[]): string {
  const ids = new Set(spans.map((span) => span.spanId))
  const inOrder = spans.toSorted((a, b) =>
    a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0,
  )
  const lines = (parentSpanId: string | undefined, indent: string): string[] =>
    inOrder
      .filter((span) =>
        parentSpanId === undefined
          ? !ids.has(span.parentSpanId)
          : span.parentSpanId === parentSpanId,
      )
      .flatMap((span) => [indent + span.name, ...lines(span.spanId, `${indent}  `)])
  return lines(undefined, '').join('\n')
}

type Handle = (
  message: Buffer,
  compressed: boolean,
  headers: ReceivedExport['headers'],
) => Promise<Answer | undefined>

function httpServer({ tls }: ReceiverOptions, handle: Handle, retryAfterS: () => number): Server {
  const onRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const message = await collect(request)
    if (request.method !== 'POST' || request.headers['content-type'] !== 'application/x-protobuf') {
      response.writeHead(415).end()
      return
    }
    const answer = await handle(
      message,
      request.headers['content-encoding'] === 'gzip',
      request.headers,
    )
    if (answer === undefined) return
    const { refusal } = answer
    if (refusal === 'throttled') response.setHeader('retry-after', retryAfterS())
    response.writeHead(refusal === undefined ? 200 : HTTP_STATUS[refusal], {
      'content-type': 'application/x-protobuf',
    })
    response.end(answer.body)
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    onRequest(request, response).catch((error: unknown) => response.destroy(error as Error))
  }
  return tls === undefined ? createHttp(listener) : createHttps(tlsOptions(tls), listener)
}

const HTTP_STATUS = { unavailable: 503, 'bad-request': 400, throttled: 429 } as const

function tlsOptions(tls: NonNullable<ReceiverOptions['tls']>) {
  return { ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.ca !== undefined }
}

/** gRPC over HTTP/2: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
function grpcServer({ tls }: ReceiverOptions, handle: Handle, retryAfterS: () => number): Server {
  const server = tls === undefined ? createHttp2() : createSecureServer(tlsOptions(tls))
  const onStream = async (stream: ServerHttp2Stream, headers: Http2Headers): Promise<void> => {
    const frame = await collect(stream)
    if (headers[':path'] !== '/opentelemetry.proto.collector.trace.v1.TraceService/Export') {
      return refuseGrpc(stream, GRPC.unimplemented)
    }
    const length = frame.readUInt32BE(1)
    if (frame.length !== length + 5) throw new Error('the length prefix does not fit the message')
    const answer = await handle(frame.subarray(5), frame[0] === 1, headers)
    if (answer === undefined || stream.destroyed) return
    const { refusal } = answer
    if (refusal === undefined) answerGrpc(stream, answer.body)
    else
      refuseGrpc(
        stream,
        GRPC[refusal],
        refusal === 'throttled' ? { 'grpc-status-details-bin': retryInfo(retryAfterS()) } : {},
      )
  }
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    onStream(stream, headers).catch((error: unknown) => stream.destroy(error as Error))
  })
  server.on('sessionError', () => {})
  return server
}

const GRPC = { 'bad-request': 3, throttled: 8, unimplemented: 12, unavailable: 14 } as const

const GRPC_HEADERS = { ':status': 200, 'content-type': 'application/grpc' } as const

function refuseGrpc(
  stream: ServerHttp2Stream,
  status: number,
  details: Readonly<Record<string, string>> = {},
): void {
  const headers = { ...GRPC_HEADERS, 'grpc-status': String(status), ...details }
  stream.respond(headers, { endStream: true })
}

/** google.rpc.Status whose details are a google.rpc.RetryInfo. */
function retryInfo(seconds: number): string {
  const field = (number: number, content: Uint8Array): Buffer =>
    Buffer.from([(number << 3) | 2, content.length, ...content])
  const duration = Buffer.from([1 << 3, seconds])
  const typeUrl = field(1, Buffer.from('type.googleapis.com/google.rpc.RetryInfo'))
  const any = Buffer.concat([typeUrl, field(2, field(1, duration))])
  const status = Buffer.concat([Buffer.from([1 << 3, GRPC.throttled]), field(3, any)])
  return status.toString('base64')
}

function answerGrpc(stream: ServerHttp2Stream, message: Uint8Array): void {
  stream.respond(GRPC_HEADERS, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  stream.end(frame)
}

/** ExportTraceServiceResponse. */
function partialSuccess(rejectedSpans: number): Uint8Array {
  if (rejectedSpans === 0) return new Uint8Array()
  if (rejectedSpans > 127) throw new Error('at most 127: one byte of varint')
  return Uint8Array.of(0x0a, 2, 0x08, rejectedSpans)
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}
