import { SPAN } from '../trace/names.ts'
import type { Span } from '../trace/recorder.ts'
import type { NativeIo } from './addon.ts'
import type { SendFile, SendFileResult } from './io.ts'
import { errnoName, IoError, SendError } from './io-error.ts'
import { RECORD_DOUBLES } from './syscalls.ts'

interface Sending {
  readonly span: Span
  readonly request: SendFile
  readonly onAbort: (() => void) | undefined
  readonly resolve: (result: SendFileResult) => void
  readonly reject: (error: IoError) => void
}

const ECANCELED = 125
const HEAD = 10
const MAX_RECORDS = 32

/** Files on their way to sockets. */
export class Sender {
  readonly #native: NativeIo
  readonly #syscalls: boolean
  readonly #sending = new Map<number, Sending>()
  readonly #facts = new Float64Array(HEAD + MAX_RECORDS * RECORD_DOUBLES)
  #whenIdle: (() => void) | undefined

  constructor(native: NativeIo, syscalls: boolean) {
    this.#native = native
    this.#syscalls = syscalls
  }

  send(span: Span, request: SendFile): Promise<SendFileResult> {
    return new Promise((resolve, reject) => {
      const { socketFd, file, offset, length, stallMs, signal } = request
      const records = this.#syscalls && span.recording ? 1 : 0
      const id = this.#native.send(socketFd, file, offset, length, stallMs, records)
      if (id < 0) {
        reject(new IoError(-id, 'sendfile', undefined))
        return
      }
      const onAbort = signal && (() => this.#native.cancelSend(id))
      this.#sending.set(id, { span, request, onAbort, resolve, reject })
      if (signal === undefined || onAbort === undefined) return
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  settle(id: number): void {
    const sending = this.#sending.get(id)
    if (sending === undefined) return
    this.#sending.delete(id)
    const facts = this.#facts
    this.#native.takeSend(id, facts)
    const [errno = ECANCELED, bytes = 0, , , , clientWaitNs = 0, ioNs = 0] = facts
    if (sending.onAbort !== undefined)
      sending.request.signal?.removeEventListener('abort', sending.onAbort)
    const sent = { bytes, clientWaitNs, ioNs }
    const error = errno === 0 ? undefined : new SendError(errno, 'sendfile', sent)
    if (sending.span.recording) record(sending, facts, error)
    if (error === undefined) sending.resolve(sent)
    else sending.reject(error)
    if (this.#sending.size === 0) this.#whenIdle?.()
  }

  /** Resolves when nothing is being sent any more. */
  close(): Promise<void> {
    if (this.#sending.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#whenIdle = resolve
    })
  }
}

function record({ span, request }: Sending, facts: Float64Array, error: IoError | undefined): void {
  const [
    ,
    bytes = 0,
    queuedNs = 0,
    startNs = 0,
    endNs = 0,
    clientWaitNs = 0,
    ioNs = 0,
    records = 0,
    ,
    cachedPercent = -1,
  ] = facts
  const attributes = {
    'posix.duration_ms': (endNs - startNs) / 1e6,
    'posix.queue_ms': (startNs - queuedNs) / 1e6,
    'posix.bytes_read': bytes,
    'posix.range_start': request.offset,
    'posix.client_wait_ms': clientWaitNs / 1e6,
    'posix.io_ms': ioNs / 1e6,
    // Before it was read: what was not in memory came from the disk.
    ...(cachedPercent < 0 ? undefined : { 'posix.cached_percent': cachedPercent }),
    ...(error === undefined ? undefined : { 'error.type': errnoName(error.errno) }),
  }
  const child = span.child(SPAN.sendFile, attributes, startNs)
  if (records > 0) child.syscalls = facts.slice(HEAD, HEAD + records * RECORD_DOUBLES)
  if (error !== undefined) child.fail({ type: error.code, message: error.message })
  child.end(endNs)
}
