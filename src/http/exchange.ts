import type { ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { Authentication } from '../auth/authenticate.ts'
import type { Payload } from '../backend/payload.ts'
import { IoError } from '../io/io-error.ts'
import type { Io } from '../io/io.ts'
import { withGrant } from '../s3/cors/cors-answer.ts'
import type { CorsGrant } from '../s3/cors/cors-grant.ts'
import { S3Error } from '../s3/errors.ts'
import type { DocumentUse, Operation, S3Response, WholeBodyUse } from '../s3/operation.ts'
import type { Exchange, Pipeline } from '../s3/pipeline.ts'
import type { PostForm } from '../s3/post-form.ts'
import type { S3Request } from '../s3/request.ts'
import { parseTagging } from '../s3/tags.ts'
import type { ErrorReports } from '../sentry/error-reports.ts'
import { ambientSpan } from '../trace/ambient.ts'
import { nowNs } from '../trace/clock.ts'
import { correlationIds, requestId } from '../trace/correlation.ts'
import type { RequestMetrics } from '../metrics/request-metrics.ts'
import type { Recorder, Span } from '../trace/recorder.ts'
import type { RootDescriber, Tracing } from '../trace/tracing.ts'
import type { AccessLog } from './access-line.ts'
import { ActiveExchanges } from './active-exchanges.ts'
import type { BackendHealth } from './backend-health.ts'
import { createPayload, readWholeBody, type RequestPayload } from './body.ts'
import { BodyReader } from './body-reader.ts'
import { checkHead } from './check-head.ts'
import type { DocumentParser } from './document-parser.ts'
import { openForm } from './form.ts'
import { hostId } from './ids.ts'
import type { RequestMessage } from './request-message.ts'
import { UNPARSED, parseRequest, unreadRequest } from './request.ts'
import type { RequestLog } from './request-log.ts'
import { describeRequest, describeResponse } from './root-span.ts'
import { send, type SendOptions } from './send.ts'
import type { XmlElement } from './xml-reader.ts'
import { errorDocument } from './xml.ts'

export interface ExchangeParts {
  readonly pipeline: Pipeline
  readonly documents: DocumentParser
  readonly tracing: Tracing
  readonly io: Io
  readonly log: Logger
  readonly accessLog: AccessLog | undefined
  readonly requestLog: RequestLog | undefined
  readonly reports: ErrorReports | undefined
  readonly metrics: RequestMetrics | undefined
  readonly backendHealth: BackendHealth
  readonly virtualDomain: string | undefined
  keepAlive: boolean
  /** Requests in flight beyond this are answered SlowDown at once. */
  readonly maxRequests: number
  /** A client that sends or takes no byte for so long is given up. */
  readonly stallMs: number
  readonly maxObjectSize: number
}

/** Serves S3 requests: one exchange each, from the parsed head to the last byte, with its trace around it. */
export interface S3Server {
  serve(incoming: RequestMessage, outgoing: ServerResponse, expectsContinue?: boolean): void
  /** Gives up answers whose client takes nothing any more; call it every few seconds. */
  sweep(): void
  /** From now on a connection ends with the answer it is giving. */
  endConnections(): void
  readonly inFlight: number
}

export function createS3Server(parts: ExchangeParts): S3Server {
  const active = new ActiveExchanges<HttpExchange>()
  const onOver = (exchange: HttpExchange): void => active.delete(exchange)
  return {
    serve(incoming, outgoing, expectsContinue = false) {
      parts.io.announce(incoming.socket)
      const exchange = new HttpExchange(parts, incoming, outgoing, expectsContinue)
      active.add(exchange)
      outgoing.on('close', () => exchange.onClose())
      exchange.begin(active.list.length > parts.maxRequests, onOver)
    },
    sweep() {
      const now = nowNs()
      for (const exchange of active.list) exchange.giveUpIfStalled(now)
    },
    endConnections() {
      parts.keepAlive = false
      for (const exchange of active.list) exchange.endConnection()
    },
    get inFlight() {
      return active.list.length
    },
  }
}

/** A body left unread is read and thrown away for so long and so far, so that the client sees our answer, not a reset. */
const DRAIN_MS = 10_000
const DRAIN_BYTES = 256 * 1024 * 1024
/** Ten tags, however they are laid out. */
const MAX_TAGGING_BYTES = 64 * 1024

class HttpExchange implements Exchange, RootDescriber {
  readonly recorder: Recorder
  request: S3Request = UNPARSED
  operation: Operation | undefined
  authentication: Authentication | undefined
  corsGrant: CorsGrant | undefined
  backendSpan: Span | undefined
  readonly serverPort: number | undefined
  /** Where `ActiveExchanges` has it. */
  place = -1
  readonly #parts: ExchangeParts
  readonly #incoming: RequestMessage
  readonly #outgoing: ServerResponse
  #awaitsContinue: boolean
  #controller: AbortController | undefined
  #payload: RequestPayload | undefined
  #formReader: BodyReader | undefined
  #document: Promise<XmlElement | undefined> | undefined
  #status = 0
  #errorCode: string | undefined
  #isBackendsFault = false
  #firstByteNs = 0
  /** For the client to take more of the answer. */
  #sendWaitNs = 0
  #sentBytes = 0
  /** The answer has gone, or the client. */
  #isClosed = false
  /** The work for the answer has stopped. */
  #isSettled = false
  #onOver: ((exchange: HttpExchange) => void) | undefined
  #progress = { bytes: -1, atNs: 0 }

  constructor(
    parts: ExchangeParts,
    incoming: RequestMessage,
    outgoing: ServerResponse,
    expectsContinue: boolean,
  ) {
    this.#parts = parts
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#awaitsContinue = expectsContinue
    this.recorder = parts.tracing.start(incoming.headers, nowNs())
    this.serverPort = this.recorder.recording ? incoming.socket.localPort : undefined
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#isClosed) this.#controller.abort()
    }
    return this.#controller.signal
  }

  openPayload(authentication: Authentication): Payload {
    this.#payload ??= createPayload(this.request, this.#incoming, authentication, {
      stallMs: this.#parts.stallMs,
      maxObjectSize: this.#parts.maxObjectSize,
      onContinue: this.#awaitsContinue ? () => this.#continue() : undefined,
    })
    return this.#payload
  }

  /** Once: what was read for the decision about access is what the operation gets. */
  readDocument(use: DocumentUse): Promise<XmlElement | undefined> {
    this.#document ??= this.#parseDocument(use)
    return this.#document
  }

  async #parseDocument(use: DocumentUse): Promise<XmlElement | undefined> {
    const bytes = await this.readBytes(use)
    return bytes.length === 0 ? undefined : this.#parts.documents.parse(bytes, use.root)
  }

  async readForm(): Promise<PostForm> {
    const { stallMs, maxObjectSize } = this.#parts
    const onContinue = this.#awaitsContinue ? () => this.#continue() : undefined
    this.#formReader = new BodyReader(this.#incoming, { stallMs, onContinue })
    const { fields, file } = await openForm(this.request, this.#formReader, maxObjectSize)
    return { fields, file, tags: await this.#parseTags(fields.get('tagging')) }
  }

  /** What is wrong with them is told once it is known who sent them. */
  async #parseTags(text: string | undefined): Promise<PostForm['tags']> {
    if (text === undefined) return undefined
    try {
      if (text.length > MAX_TAGGING_BYTES) throw new S3Error('MalformedXML')
      const root = await this.#parts.documents.parse(Buffer.from(text, 'latin1'), 'Tagging')
      return parseTagging(root, 'object')
    } catch (error) {
      if (error instanceof S3Error) return error
      throw error
    }
  }

  async readBytes(use: WholeBodyUse): Promise<Buffer> {
    if (this.#payload === undefined) throw new Error('the payload is opened first')
    return readWholeBody(this.request, this.#payload, use)
  }

  /** `onOver` is called when the answer has gone and the work for it has stopped. */
  begin(overloaded: boolean, onOver: (exchange: HttpExchange) => void): void {
    this.#onOver = onOver
    const current = ambientSpan()
    if (current === undefined) void this.run(overloaded)
    else void current.run(this.recorder.root, RUN, this, overloaded)
  }

  async run(overloaded: boolean): Promise<void> {
    const parts = this.#parts
    const incoming = this.#incoming
    try {
      let response: S3Response
      try {
        parts.requestLog?.started(this.recorder, incoming)
        if (overloaded) throw new S3Error('SlowDown')
        checkHead(incoming)
        this.request = parseRequest(incoming, parts)
        response = await parts.pipeline(this)
      } catch (error) {
        if (this.request === UNPARSED) this.request = unreadRequest(incoming)
        response = this.#errorResponse(error)
      }
      if (this.corsGrant !== undefined) response = withGrant(response, this.corsGrant)
      const sending = this.#startAnswer(response)
      const waitNs = send(this.#outgoing, response, sending)
      this.#sendWaitNs = typeof waitNs === 'number' ? waitNs : await waitNs
      this.#sentBytes = sending.sentBytes
      if (!incoming.complete && !this.#awaitsContinue) this.#drain()
    } catch (error) {
      this.#breakOff(error)
    }
    this.#isSettled = true
    if (this.#isClosed) this.#finish()
  }

  onClose(): void {
    this.#isClosed = true
    this.#controller?.abort()
    if (this.#isSettled) this.#finish()
  }

  /** Where the head has gone already it has told the client otherwise. */
  endConnection(): void {
    const { socket } = this.#outgoing
    this.#outgoing.once('finish', () => socket?.destroySoon())
  }

  giveUpIfStalled(now: number): void {
    const { socket } = this.#outgoing
    // Until the answer starts the body's own timer watches; files have theirs in the addon.
    if (this.#firstByteNs === 0 || socket === null || this.#outgoing.writableLength === 0) return
    if (socket.bytesWritten !== this.#progress.bytes) {
      this.#progress = { bytes: socket.bytesWritten, atNs: now }
    } else if (now - this.#progress.atNs > this.#parts.stallMs * 1e6) {
      socket.destroy()
    }
  }

  #continue(): void {
    this.#awaitsContinue = false
    this.#outgoing.writeContinue()
  }

  #startAnswer(response: S3Response): SendOptions {
    const { io, keepAlive, stallMs } = this.#parts
    this.#status = response.status
    this.#firstByteNs = nowNs()
    return {
      io,
      recorder: this.recorder,
      // Without its 100 the body will never come, and nothing else on this connection could be told from it.
      closes: this.#awaitsContinue || !keepAlive,
      span: this.backendSpan,
      signal: this.#signalOf(response),
      stallMs,
      headOnly: this.#incoming.method === 'HEAD',
      sentBytes: 0,
    }
  }

  #breakOff(error: unknown): void {
    const { root } = this.recorder
    root.fail({ type: 'InternalError', message: 'the answer broke off' })
    this.#parts.log.error({ err: error, ...correlationIds(root) }, 'answer failed')
    this.report(error)
    this.#outgoing.destroy()
  }

  #signalOf(response: S3Response): AbortSignal {
    return typeof response.body === 'object' && response.body.kind === 'file' ? this.signal : NEVER
  }

  #errorResponse(thrown: unknown): S3Response {
    const error =
      thrown instanceof S3Error ? thrown : new S3Error('InternalError', {}, { cause: thrown })
    this.#errorCode = error.code
    // Whatever an errno is expected to say has a code of its own.
    this.#isBackendsFault = error.code === 'InternalError' && error.cause instanceof IoError
    const { root } = this.recorder
    if (error.status >= 400) root.set('error.type', error.code)
    if (error.status >= 500) {
      const cause = error.cause instanceof Error ? error.cause : error
      root.fail({ type: error.code, message: error.message })
      // Only what is unexpected is worth a line each: others (NotImplemented, SlowDown, a full disk) say all in the answer.
      this.#parts.log[error.code === 'InternalError' ? 'error' : 'debug'](
        { err: cause, ...correlationIds(root) },
        error.code,
      )
      this.report(error)
    }
    const headers: string[] = []
    for (const [name, value] of Object.entries(error.headers)) headers.push(name, value)
    if (error.status === 304) return { status: 304, headers }
    const body = errorDocument(error, {
      requestId: requestId(this.recorder),
      hostId: hostId(this.recorder),
    })
    return { status: error.status, headers, body }
  }

  /** An error of ours, not of the client's. */
  report(error: unknown): void {
    const { code, status } = error instanceof S3Error ? error : UNEXPECTED
    const { root } = this.recorder
    this.#parts.reports?.answered({
      root,
      error,
      code,
      status,
      method: this.#incoming.method ?? '',
    })
  }

  #drain(): void {
    const incoming = this.#incoming
    const { socket } = incoming
    const limit = socket.bytesRead + DRAIN_BYTES
    const timer = setTimeout(() => socket.destroy(), DRAIN_MS)
    incoming.cutBody(undefined)
    incoming.on('data', () => {
      if (socket.bytesRead > limit) socket.destroy()
    })
    incoming.once('close', () => clearTimeout(timer))
    incoming.resume()
  }

  /** Ends the trace when the answer has gone and the work for it has stopped, whichever comes last. */
  #finish(): void {
    const { recorder, backendSpan } = this
    const endNs = nowNs()
    backendSpan?.end(endNs)
    if (backendSpan !== undefined)
      this.#parts.backendHealth.note(!this.#isBackendsFault, this.request, recorder.root)
    recorder.root.end(endNs)
    this.#parts.tracing.finish(
      recorder,
      {
        status: this.#status,
        isHead: this.#incoming.method === 'HEAD',
        authenticated:
          this.authentication !== undefined && this.authentication.identity.accessKey !== undefined,
      },
      this,
    )
    this.#parts.metrics?.add(this.operation, recorder, {
      status: this.#status,
      errorCode: this.#errorCode,
      bytesIn: (this.#formReader ?? this.#payload)?.receivedBytes ?? 0,
      bytesOut: this.#sentBytes,
    })
    this.#parts.accessLog?.write(this.request, recorder, this.#status, this.#errorCode)
    this.#parts.requestLog?.finished(recorder, this.request, {
      operation: this.operation?.rootSpan,
      status: this.#status,
      errorCode: this.#errorCode,
      accessKey: this.authentication?.identity.accessKey,
    })
    this.#onOver?.(this)
  }

  describeRoot(root: Span): void {
    const { semconv } = this.#parts.tracing
    describeRequest(root, this.#incoming, this, semconv)
    const sent = this.#formReader ?? this.#payload
    const facts = {
      status: this.#status,
      ttfbMs: (this.#firstByteNs - root.startNs) / 1e6,
      clientWaitMs: ((sent?.clientWaitNs ?? 0) + this.#sendWaitNs) / 1e6,
    }
    describeResponse(root, facts, semconv)
  }
}

const NEVER = new AbortController().signal

const RUN = (exchange: HttpExchange, overloaded: boolean): Promise<void> => exchange.run(overloaded)

const UNEXPECTED = new S3Error('InternalError')
