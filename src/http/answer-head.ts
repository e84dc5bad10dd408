import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { S3Response } from '../s3/operation.ts'
import { requestId } from '../trace/correlation.ts'
import type { Recorder } from '../trace/recorder.ts'
import { hostId } from './ids.ts'

/** What every answer says of itself. */
export interface HeadFrame {
  /** Whose ids it carries. */
  readonly recorder: Recorder
  /** Whether the connection ends with it. */
  readonly closes: boolean
}

/**
 * Gives `outgoing` the head of an answer; `length` is undefined where it says nothing of one.
 *
 * Node makes a head from a list, one header at a time: it looks at each for what it means to the connection, and twice for
 * what no header may hold. Nearly all of our answers keep their connection and have a known length, and then the head is one text
 * that we can write, in the order and with the words that Node has. All others go Node's way, and so does what must not be
 * sent: Node throws then.
 */
export function writeHead(
  outgoing: ServerResponse,
  response: S3Response,
  frame: HeadFrame,
  length: number | undefined,
): void {
  const text = composeHead(outgoing, response, frame, length)
  if (text === undefined) {
    outgoing.writeHead(response.status, listHeaders(response, frame, length))
  } else {
    outgoing.statusCode = response.status
    setHeader(outgoing, text)
  }
}

/**
 * Adds a body to the head that waits in `outgoing`, so that both leave in one write of one text. As two pieces they take a third
 * more of the event loop's time: Node corks the socket, gathers the pieces and an empty one for the end, and calls writev(2).
 * False where this Node keeps its head elsewhere.
 */
export function joinHead(outgoing: ServerResponse, bytes: Buffer): boolean {
  const { _header: head } = outgoing as WaitingHead
  // latin1, one character a byte, is how Node writes heads.
  if (typeof head === 'string') setHeader(outgoing, head + bytes.toString('latin1'))
  return typeof head === 'string'
}

/** Where Node 20 to 24 keeps a head until its first byte is sent, null before there is one: no public names. */
type WaitingHead = ServerResponse & { _header?: unknown; readonly _keepAliveTimeout?: unknown }

function setHeader(outgoing: WaitingHead, text: string): void {
  // oxlint-disable-next-line no-underscore-dangle -- as Node has it
  outgoing._header = text
}

/** Undefined where it is not ours to compose. */
function composeHead(
  outgoing: WaitingHead,
  response: S3Response,
  { recorder, closes }: HeadFrame,
  length: number | undefined,
): string | undefined {
  const { _header: waiting, _keepAliveTimeout: timeoutMs } = outgoing
  const isOurs =
    waiting === null &&
    typeof timeoutMs === 'number' &&
    outgoing.shouldKeepAlive &&
    !closes &&
    outgoing.req.httpVersion === '1.1'
  if (!isOurs) return undefined
  const { status, headers = NO_HEADERS } = response
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}`
  text += `\r\nServer: VERSITYGW\r\nX-Amz-Request-Id: ${requestId(recorder)}`
  text += `\r\nX-Amz-Id-2: ${hostId(recorder)}\r\nX-Trace-ID: ${recorder.traceId}`
  for (let at = 0; at < headers.length; at += 2) {
    const start = lineStart(headers[at] ?? '')
    const value = headers[at + 1]
    if (start === undefined || value === undefined || NOT_IN_HEADERS.test(value)) return undefined
    text += start
    text += value
  }
  if (typeof response.body === 'string') text += '\r\nContent-Type: application/xml'
  if (length !== undefined) text += `\r\nContent-Length: ${length}`
  return text + headEnd(timeoutMs)
}

const NO_HEADERS: readonly string[] = []

/** All but tabs, visible ASCII and the bytes above it (RFC 9110, 5.5): as Node has it. */
const NOT_IN_HEADERS = /[^\t\x20-\x7e\x80-\xff]/

/**
 * The end of the line before, the name, and what separates it from its value. Undefined where that is no name (RFC 9110,
 * 5.6.2), and where it says something about the connection, which Node would have to know.
 */
function lineStart(name: string): string | undefined {
  const known = lineStarts.get(name)
  if (known !== undefined) return known
  if (!TOKEN.test(name) || OF_THE_CONNECTION.has(name.toLowerCase())) return undefined
  const start = `\r\n${name}: `
  if (lineStarts.size < MAX_LINE_STARTS) lineStarts.set(name, start)
  return start
}

/** Names are few, but for those of user metadata. */
const MAX_LINE_STARTS = 256
const lineStarts = new Map<string, string>()
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'date',
  'expect',
  'keep-alive',
  'trailer',
  'transfer-encoding',
])

let endText = ''
let endSecond = -1
let endTimeoutMs = -1

/** From the date on; made once a second. */
function headEnd(timeoutMs: number): string {
  const now = Date.now()
  const second = Math.floor(now / 1000)
  if (second !== endSecond || timeoutMs !== endTimeoutMs) {
    endSecond = second
    endTimeoutMs = timeoutMs
    const keepAlive =
      timeoutMs === 0 ? '' : `\r\nKeep-Alive: timeout=${Math.floor(timeoutMs / 1000)}`
    const date = new Date(now).toUTCString()
    endText = `\r\nDate: ${date}\r\nConnection: keep-alive${keepAlive}\r\n\r\n`
  }
  return endText
}

function listHeaders(
  { headers = NO_HEADERS, body }: S3Response,
  { recorder, closes }: HeadFrame,
  length: number | undefined,
): string[] {
  const list = [
    'Server',
    'VERSITYGW',
    'X-Amz-Request-Id',
    requestId(recorder),
    'X-Amz-Id-2',
    hostId(recorder),
    'X-Trace-ID',
    recorder.traceId,
  ]
  if (closes) list.push('Connection', 'close')
  list.push(...headers)
  if (typeof body === 'string') list.push('Content-Type', 'application/xml')
  if (length !== undefined) list.push('Content-Length', String(length))
  return list
}
