import type { IncomingMessage, ServerResponse } from 'node:http'
import { hostname } from 'node:os'
import { createServers, type HttpServers, type TlsPair } from '../http/server.ts'
import type { Listener } from '../http/listener.ts'
import {
  answer,
  answerBytes,
  answerError,
  answerJson,
  answerNothing,
  type Headers,
} from './answer.ts'
import type { GatewayView, Login } from './api-types.ts'
import { Followers } from './follow.ts'
import type { Guard } from './guard.ts'
import type { Sessions } from './sessions.ts'
import { BadQuery, readFilter, readNumber } from './trace-filter.ts'
import { TracesBusy } from './threaded-traces.ts'
import type { TraceSource } from './trace-source.ts'

export interface ViewerParts {
  readonly listener: Listener
  readonly tls: TlsPair | undefined
  readonly source: TraceSource
  readonly sessions: Sessions
  readonly guard: Guard
  readonly about: Pick<GatewayView, 'version' | 'depth' | 'sampleRate'>
  /** The page, by path: `/`, `/viewer.js`, … */
  readonly files: ReadonlyMap<string, PageFile>
  readonly onFault: (error: unknown) => void
}

export interface PageFile {
  readonly type: string
  readonly body: Buffer
}

/** A page of its own, on a listener of its own: what is slow, what fails, and why. */
export interface Viewer {
  readonly servers: HttpServers
  close(): Promise<void>
}

const MAX_CONNECTIONS = 128
const HEADER_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 30_000

export function createViewer(parts: ViewerParts): Viewer {
  const followers = new Followers(parts.source)
  const serve = createRoutes(parts, followers)
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    outgoing.on('error', () => undefined)
    serve(incoming, outgoing).catch((error: unknown) => {
      const isBusy = error instanceof TracesBusy
      if (!isBusy && !(error instanceof BadQuery)) parts.onFault(error)
      if (outgoing.headersSent) outgoing.destroy()
      else if (isBusy) answerError(outgoing, 503, { error: error.message }, { 'Retry-After': '1' })
      else if (error instanceof BadQuery) answerError(outgoing, 400, { error: error.message })
      else answerError(outgoing, 500, { error: 'the viewer failed; the log says why' })
    })
  }
  const servers = createServers({
    listeners: [parts.listener],
    socketMode: 0o600,
    tls: parts.tls,
    maxConnections: MAX_CONNECTIONS,
    headerTimeoutMs: HEADER_TIMEOUT_MS,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    onRequest,
    onExpectContinue: (_, outgoing) => answerError(outgoing, 417, { error: 'no 100 here' }),
    onMalformed: () => undefined,
  })
  return {
    servers,
    async close() {
      followers.close()
      await servers.close(0)
    },
  }
}

type Serve = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>

function createRoutes(parts: ViewerParts, followers: Followers): Serve {
  const { sessions, guard, files } = parts
  const serveApi = createApi(parts, followers)
  return async (incoming, outgoing) => {
    const refusal = guard(incoming)
    if (refusal !== undefined) {
      const headers: Headers = refusal.status === 429 ? { 'Retry-After': '1' } : {}
      return answerError(outgoing, refusal.status, refusal, headers)
    }
    const url = new URL(incoming.url ?? '/', 'http://viewer')
    const isReading = incoming.method === 'GET' || incoming.method === 'HEAD'
    if (url.pathname === '/api/session') return serveSession(incoming, outgoing, sessions)
    if (!isReading) return answerError(outgoing, 405, { error: 'not allowed' }, { Allow: 'GET' })
    const file = files.get(url.pathname)
    if (file !== undefined) return answer(outgoing, 200, file.body, { 'Content-Type': file.type })
    if (!url.pathname.startsWith('/api/')) return answerError(outgoing, 404, { error: 'not here' })
    const who = await sessions.identify(incoming)
    if (who === undefined) return refuseStranger(outgoing, sessions)
    return serveApi(incoming, outgoing, { url, who })
  }
}

function refuseStranger(outgoing: ServerResponse, { accepts }: Sessions): void {
  const error = accepts.includes('token')
    ? 'the token of the gateway or an admin account (by TLS, or from its host) is needed'
    : 'an admin account is needed, by TLS or from the gateway’s host'
  answerError(outgoing, 401, { error, accepts })
}

interface Asked {
  readonly url: URL
  readonly who: string
}

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 500
const MAX_SLOTS = 360
/** Whole traces on their way out, of up to some ten megabytes each. */
const MAX_TELLING = 16

function createApi({ source, sessions, about }: ViewerParts, followers: Followers) {
  const startedMs = Date.now() - performance.now()
  let telling = 0
  return async (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    { url, who }: Asked,
  ): Promise<void> => {
    const { pathname, searchParams: query } = url
    if (pathname === '/api/gateway') {
      const size = await source.size()
      const view: GatewayView = { ...about, ...size, host: hostname(), startedMs, who }
      return answerJson(outgoing, view)
    }
    if (pathname === '/api/traces') {
      const limit = readLimit(query, 'limit', DEFAULT_LIMIT, MAX_LIMIT)
      const before = query.get('before')
      const beforeMs = before === null ? undefined : readNumber('before', before)
      const filter = readFilter(query)
      const { body } = await (query.get('order') === 'slowest'
        ? source.slowest(filter, limit)
        : source.list(filter, limit, beforeMs))
      return answerBytes(outgoing, body)
    }
    if (pathname === '/api/follow') {
      const mayStay = async (): Promise<boolean> => (await sessions.identify(incoming)) === who
      const limit = readLimit(query, 'limit', DEFAULT_LIMIT, MAX_LIMIT)
      return followers.add(outgoing, { filter: readFilter(query), limit, mayStay })
    }
    if (pathname === '/api/activity') {
      const slots = readLimit(query, 'slots', MAX_SLOTS, MAX_SLOTS)
      const group = readLimit(query, 'group', 1, MAX_SLOTS)
      return answerBytes(outgoing, (await source.activity(slots, group)).body)
    }
    if (telling >= MAX_TELLING) throw new TracesBusy('too many traces are being sent')
    telling++
    try {
      return await serveTrace(outgoing, source, pathname)
    } finally {
      telling--
    }
  }
}

async function serveTrace(
  outgoing: ServerResponse,
  source: TraceSource,
  pathname: string,
): Promise<void> {
  const [, id = '', otlp] =
    /^\/api\/traces\/([0-9A-Fa-f]{16}|[0-9A-Fa-f]{32})(\/otlp)?$/.exec(pathname) ?? []
  if (id === '') return answerError(outgoing, 404, { error: 'not here' })
  const missing = {
    error: 'no trace of this id is held: it was not kept, or newer ones took its place',
  }
  const { body, count } = await (otlp === undefined ? source.find(id) : source.otlp(id))
  if (count === 0) return answerError(outgoing, 404, missing)
  const headers: Headers =
    otlp === undefined ? {} : { 'Content-Disposition': `attachment; filename="trace-${id}.json"` }
  return answerBytes(outgoing, body, headers)
}

function readLimit(query: URLSearchParams, name: string, standard: number, most: number): number {
  const text = query.get(name)
  if (text === null || text === '') return standard
  const number = readNumber(name, text)
  if (Number.isInteger(number) && number >= 1) return Math.min(number, most)
  throw new BadQuery(`${name} is a whole number from 1 to ${most}`)
}

async function serveSession(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  sessions: Sessions,
): Promise<void> {
  if (incoming.method === 'DELETE')
    return answerNothing(outgoing, { 'Set-Cookie': sessions.close(incoming) })
  if (incoming.method !== 'POST')
    return answerError(outgoing, 405, { error: 'not allowed' }, { Allow: 'POST, DELETE' })
  const login = readLogin(await readBody(incoming))
  const cookie = await sessions.open(login, incoming)
  if (cookie === undefined) return refuseStranger(outgoing, sessions)
  return answerNothing(outgoing, { 'Set-Cookie': cookie })
}

const MAX_BODY = 4096
const BODY_TIMEOUT_MS = 10_000

async function readBody(incoming: IncomingMessage): Promise<string> {
  const timer = setTimeout(() => incoming.destroy(), BODY_TIMEOUT_MS)
  try {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of incoming) {
      const piece: Buffer = chunk
      bytes += piece.length
      if (bytes > MAX_BODY) throw new BadQuery('that is too much')
      chunks.push(piece)
    }
    return Buffer.concat(chunks).toString()
  } finally {
    clearTimeout(timer)
  }
}

function readLogin(text: string): Login {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    throw new BadQuery('the body is not JSON')
  }
  if (typeof given === 'object' && given !== null) {
    if ('token' in given && typeof given.token === 'string') return { token: given.token }
    if (
      'access' in given &&
      typeof given.access === 'string' &&
      'secret' in given &&
      typeof given.secret === 'string'
    )
      return { access: given.access, secret: given.secret }
  }
  throw new BadQuery('the body is {"token": …} or {"access": …, "secret": …}')
}
