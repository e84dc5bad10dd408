import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Io, StepTimes } from '../io/io.ts'
import { IoError, SendError } from '../io/io-error.ts'
import type { Body } from '../backend/backend.ts'
import type { S3Response } from '../s3/operation.ts'
import { SPAN } from '../trace/names.ts'
import { Recorder, type Span } from '../trace/recorder.ts'
import { nowNs } from '../trace/clock.ts'
import { joinHead, writeHead, type HeadFrame } from './answer-head.ts'

export interface SendOptions extends HeadFrame {
  readonly io: Io
  /** Below it the file operations of the answer are recorded. */
  readonly span: Span | undefined
  readonly signal: AbortSignal
  /** A client that takes no byte for so long is given up. */
  readonly stallMs: number
  /** HEAD: the headers tell of a body that is not sent. */
  readonly headOnly: boolean
  /** Filled in: bytes of the body that were sent. */
  sentBytes: number
}

/**
 * Puts an answer on the wire. Done when the last byte has been handed to the socket's queue (small bodies) or to the
 * kernel (files), with the ns it waited for the client to take more; a failure after the head went out destroys the
 * socket, because no other byte can tell the client.
 */
export function send(
  outgoing: ServerResponse,
  response: S3Response,
  options: SendOptions,
): number | Promise<number> {
  const { body } = response
  if (typeof body === 'object' && body.kind === 'file')
    return sendFileBody(outgoing, response, body, options)
  if (body === undefined) {
    // An answer of 204 or 304 has no body and says nothing of its length (RFC 9110, 8.6); a HEAD brings its own.
    const isSilent = response.status === 204 || response.status === 304 || options.headOnly
    writeHead(outgoing, response, options, isSilent ? undefined : 0)
    outgoing.end()
    return 0
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : body.bytes
  writeHead(outgoing, response, options, bytes.length)
  if (options.headOnly) {
    outgoing.end()
    return 0
  }
  if (bytes.length > ONE_TEXT || !joinHead(outgoing, bytes)) outgoing.end(bytes)
  else outgoing.end()
  options.sentBytes = bytes.length
  return 0
}

/** Up to so many bytes a body is cheaper as a part of the head. */
const ONE_TEXT = 8 * 1024

type FileBody = Extract<Body, { kind: 'file' }>

async function sendFileBody(
  outgoing: ServerResponse,
  response: S3Response,
  body: FileBody,
  options: SendOptions,
): Promise<number> {
  let fd: number | undefined = body.fd
  const { io } = options
  let waitNs = 0
  try {
    const socket = outgoing.socket ?? (await socketOf(outgoing))
    if (socket === undefined || options.signal.aborted) return 0
    writeHead(outgoing, response, options, body.length)
    if (body.length === 0) {
      outgoing.end()
      return 0
    }
    outgoing.flushHeaders()
    const socketFd = io.direct ? undefined : plainDescriptor(socket)
    if (socketFd === undefined) {
      waitNs = await pumpFile(outgoing, body, options)
      options.sentBytes = body.length
    } else {
      await flushed(socket)
      if (options.signal.aborted) return 0
      fd = undefined
      const sent = await io.sendFile(options.span ?? SILENT, {
        socketFd,
        file: body.fd,
        offset: body.offset,
        length: body.length,
        stallMs: options.stallMs,
        signal: options.signal,
      })
      waitNs = sent.clientWaitNs
      options.sentBytes = sent.bytes
    }
    outgoing.end()
  } catch (error) {
    outgoing.destroy()
    if (!(error instanceof IoError)) throw error
    const { code } = error
    if (error instanceof SendError) {
      options.sentBytes = error.sent.bytes
      waitNs = error.sent.clientWaitNs
    }
    // The status has gone ahead; only the trace can tell that the rest never came.
    if (!CLIENTS_DOING.has(code))
      options.span?.recorder.root.fail({ type: code, message: 'the answer broke off' })
  } finally {
    if (options.sentBytes < body.length) tellSent(options)
    if (fd !== undefined) await closeFile(io, fd)
  }
  return waitNs
}

/** In place of what was to be sent. */
function tellSent({ span, sentBytes }: SendOptions): void {
  span?.set('s3.content_length', sentBytes)
  span?.recorder.root.set('s3.content_length', sentBytes)
}

/** Why an answer ends early that is no failure of ours: the client has gone, or takes nothing. */
const CLIENTS_DOING: ReadonlySet<string> = new Set([
  'EPIPE',
  'ECONNRESET',
  'ECANCELED',
  'ETIMEDOUT',
])

/** On a busy keep-alive connection the answer before this one may still hold the socket. */
function socketOf(outgoing: ServerResponse): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    outgoing.once('socket', resolve)
    outgoing.once('close', () => resolve(undefined))
  })
}

/** The descriptor under a plain TCP or Unix socket; undefined under TLS, whose bytes only Node can make. */
function plainDescriptor(socket: Socket): number | undefined {
  if ('encrypted' in socket) return undefined
  const handle: unknown = Reflect.get(socket, '_handle')
  const fd: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}

/** Until the head is in the kernel: bytes sent by descriptor would overtake what Node still queues. */
function flushed(socket: Socket): Promise<void> | undefined {
  if (socket.writableLength === 0) return undefined
  return new Promise((resolve) => {
    // An empty write completes after everything queued before it; on a destroyed socket its callback gets an error.
    socket.write('', () => resolve())
  })
}

const PUMP_BYTES = 512 * 1024

/** Chains of a pump are not spans of their own: one ReadData span stands for all of them. */
const SILENT = new Recorder(false, undefined).root

/** The way for TLS, and past the page cache: large pieces, two in memory at most. */
async function pumpFile(
  outgoing: ServerResponse,
  body: FileBody,
  options: SendOptions,
): Promise<number> {
  const started = nowNs()
  let readNs = 0
  let laterQueueNs = 0
  let waitNs = 0
  let waitsSince = 0
  let done = 0
  const span = options.span?.child(SPAN.readData, { 'posix.range_start': body.offset }, started)
  try {
    while (done < body.length) {
      const { piece, times } = await readPiece(options.io, body, done)
      if (done === 0) span?.set('posix.queue_ms', times.queueNs / 1e6)
      // The span begins before the first.
      laterQueueNs += times.queueNs
      if (piece.length === 0) throw new IoError(5, 'read', undefined)
      waitsSince = nowNs()
      readNs += times.endNs - times.startNs
      done += piece.length
      if (!outgoing.write(piece)) await drained(outgoing, options)
      waitNs += nowNs() - waitsSince
      waitsSince = 0
    }
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    if (waitsSince > 0) waitNs += nowNs() - waitsSince
    const sent = { bytes: done, clientWaitNs: waitNs, ioNs: readNs }
    throw new SendError(error.errno, error.syscall, sent)
  } finally {
    if (span !== undefined) {
      span.set('posix.bytes_read', done)
      span.set('posix.io_ms', readNs / 1e6)
      span.set('posix.client_wait_ms', waitNs / 1e6)
      span.set('posix.later_queue_ms', laterQueueNs / 1e6)
      span.end()
    }
  }
  return waitNs
}

async function readPiece(
  io: Io,
  body: FileBody,
  done: number,
): Promise<{ readonly piece: Buffer; readonly times: StepTimes }> {
  const chain = io.chain(SILENT, { bulk: true })
  const step = chain.readData(body.fd, {
    offset: body.offset + done,
    length: Math.min(PUMP_BYTES, body.length - done),
    direct: io.direct,
  })
  await chain.run()
  return { piece: step.value, times: chain.times(step) }
}

function drained(outgoing: ServerResponse, options: SendOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(new IoError(110, 'write', undefined)), options.stallMs)
    const onDrain = (): void => settle(undefined)
    const onClose = (): void => settle(new IoError(32, 'write', undefined))
    const settle = (error: IoError | undefined): void => {
      clearTimeout(timer)
      outgoing.off('drain', onDrain)
      outgoing.off('close', onClose)
      if (error === undefined) resolve()
      else reject(error)
    }
    outgoing.on('drain', onDrain)
    outgoing.on('close', onClose)
  })
}

async function closeFile(io: Io, fd: number): Promise<void> {
  const chain = io.chain(SILENT)
  chain.close(fd)
  await chain.run()
}
