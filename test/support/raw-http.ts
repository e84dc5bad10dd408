import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Bytes out, bytes in: for what HTTP clients hide or would not send. */
export interface RawConnection {
  readonly socket: Socket
  write(bytes: Buffer | string): void
  /** Reads one response to its end, by its own framing. */
  response(options?: ResponseOptions): Promise<RawResponse>
  /** What has come so far and is no part of a response read already. */
  pending(): Buffer
  /** Resolves with true once the peer has ended the connection, with false after `timeoutMs`. */
  ended(timeoutMs?: number): Promise<boolean>
  close(): void
}

export interface ResponseOptions {
  /** A response to HEAD has no body, whatever its headers say. */
  readonly head?: boolean
  readonly timeoutMs?: number
}

export interface RawResponse {
  readonly status: number
  readonly reason: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  /** Status lines of the 1xx responses before it. */
  readonly interim: readonly string[]
  readonly text: string
  /** Of an error document. */
  readonly code: string | undefined
  readonly message: string | undefined
  /** Joined with `, ` where it occurs more than once. */
  readonly header: (name: string) => string | undefined
  /** Text of the first element of that name. */
  readonly element: (name: string) => string | undefined
  readonly elements: (name: string) => string[]
}

export async function openConnection(port: number, { tls = false } = {}): Promise<RawConnection> {
  const socket = tls
    ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    : connectTcp(port, '127.0.0.1')
  await once(socket, tls ? 'secureConnect' : 'connect')
  socket.setNoDelay(true)
  // Doubled when full: joining large bodies piece by piece would take longer than sending them.
  let storage = Buffer.alloc(65_536)
  let buffer = storage.subarray(0, 0)
  let ended = false
  let wake = (): void => {}
  socket.on('data', (piece) => {
    const size = buffer.length + piece.length
    if (size > storage.length) {
      storage = Buffer.allocUnsafe(size * 2)
      buffer.copy(storage)
    }
    piece.copy(storage, buffer.length)
    buffer = storage.subarray(0, size)
    wake()
  })
  const onEnd = (): void => {
    ended = true
    wake()
  }
  socket.on('end', onEnd).on('close', onEnd).on('error', onEnd)
  const waitUntil = async (condition: () => boolean, timeoutMs: number): Promise<boolean> => {
    const deadline = performance.now() + timeoutMs
    while (!condition()) {
      const left = deadline - performance.now()
      if (left <= 0) return false
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1000))
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return true
  }
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    pending: () => buffer,
    async response({ head = false, timeoutMs = 60_000 } = {}) {
      const interim: string[] = []
      let parsed: { response: RawResponse; rest: Buffer } | 'more' = 'more'
      const done = await waitUntil(() => {
        parsed = parseResponse(buffer, { head, ended, interim })
        return parsed !== 'more' || ended
      }, timeoutMs)
      if (parsed === 'more') {
        const why = done ? 'the connection ended' : `${timeoutMs} ms passed`
        throw new Error(
          `no whole response, ${why}: ${JSON.stringify(buffer.subarray(0, 500).toString('latin1'))}`,
        )
      }
      const { response, rest } = parsed as { response: RawResponse; rest: Buffer }
      storage = Buffer.alloc(Math.max(rest.length, 65_536))
      rest.copy(storage)
      buffer = storage.subarray(0, rest.length)
      return response
    },
    ended: (timeoutMs = 30_000) => waitUntil(() => ended, timeoutMs),
    close: () => void socket.destroy(),
  }
}

/** One request, given as its bytes, on a connection of its own. */
export async function exchange(
  port: number,
  request: Buffer | string,
  options: ResponseOptions & { tls?: boolean } = {},
): Promise<RawResponse> {
  const connection = await openConnection(port, options)
  try {
    connection.write(request)
    return await connection.response(options)
  } finally {
    connection.close()
  }
}

interface ParseState {
  readonly head: boolean
  readonly ended: boolean
  readonly interim: string[]
}

function parseResponse(
  bytes: Buffer,
  state: ParseState,
): { response: RawResponse; rest: Buffer } | 'more' {
  let buffer = bytes
  const interim: string[] = []
  for (;;) {
    const end = buffer.indexOf('\r\n\r\n')
    if (end === -1) return 'more'
    const [statusLine = '', ...lines] = buffer.subarray(0, end).toString('latin1').split('\r\n')
    const [, digits = '', reason = ''] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(statusLine) ?? []
    if (digits === '') throw new Error(`not a status line: ${JSON.stringify(statusLine)}`)
    const status = Number(digits)
    buffer = buffer.subarray(end + 4)
    if (status >= 100 && status < 200) {
      interim.push(statusLine)
      continue
    }
    const headers = lines.map((line) => {
      const at = line.indexOf(':')
      return [line.slice(0, at), line.slice(at + 1).trim()] as const
    })
    const framed = readBody(buffer, status, headers, state)
    if (framed === 'more') return 'more'
    return {
      response: describe({ status, reason, headers, body: framed.body, interim }),
      rest: framed.rest,
    }
  }
}

function readBody(
  buffer: Buffer,
  status: number,
  headers: RawResponse['headers'],
  { head, ended }: ParseState,
): { body: Buffer; rest: Buffer } | 'more' {
  const find = (wanted: string): string | undefined =>
    headers.find(([name]) => name.toLowerCase() === wanted)?.[1]
  if (head || status === 204 || status === 304) return { body: Buffer.alloc(0), rest: buffer }
  const length = find('content-length')
  if (length !== undefined) {
    const size = Number(length)
    if (buffer.length < size) return 'more'
    return { body: Buffer.from(buffer.subarray(0, size)), rest: buffer.subarray(size) }
  }
  if (find('transfer-encoding')?.toLowerCase() === 'chunked') return readChunked(buffer)
  return ended ? { body: Buffer.from(buffer), rest: Buffer.alloc(0) } : 'more'
}

function readChunked(buffer: Buffer): { body: Buffer; rest: Buffer } | 'more' {
  const pieces: Buffer[] = []
  let at = 0
  for (;;) {
    const end = buffer.indexOf('\r\n', at)
    if (end === -1) return 'more'
    const size = Number.parseInt(buffer.subarray(at, end).toString('latin1'), 16)
    const next = end + 2 + size + 2
    if (buffer.length < next) return 'more'
    if (size === 0) return { body: Buffer.concat(pieces), rest: buffer.subarray(next) }
    pieces.push(buffer.subarray(end + 2, end + 2 + size))
    at = next
  }
}

type Parsed = Pick<RawResponse, 'status' | 'reason' | 'headers' | 'body' | 'interim'>

function describe({ status, reason, headers, body, interim }: Parsed): RawResponse {
  let decoded: string | undefined
  const decode = (): string => (decoded ??= body.toString('utf8'))
  const elements = (name: string): string[] =>
    [...decode().matchAll(new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`, 'g'))].map(
      ([, value = '']) => unescapeXml(value),
    )
  return {
    status,
    reason,
    headers,
    body,
    interim,
    get text() {
      return decode()
    },
    elements,
    element: (name) => elements(name)[0],
    get code() {
      return elements('Code')[0]
    },
    get message() {
      return elements('Message')[0]
    },
    header(name) {
      const values = headers
        .filter(([found]) => found.toLowerCase() === name.toLowerCase())
        .map(([, value]) => value)
      return values.length === 0 ? undefined : values.join(', ')
    },
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
}

function unescapeXml(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
      if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
      return ENTITIES[name ?? ''] ?? whole
    },
  )
}
