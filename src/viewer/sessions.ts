import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FailureCounts } from '../auth/failure-counts.ts'
import type { Iam } from '../auth/iam/iam.ts'
import type { Login } from './api-types.ts'

export interface SessionsOptions {
  readonly accounts: Pick<Iam, 'find' | 'recheck'>
  /** Whoever has it may look; undefined: only accounts may. */
  readonly token: string | undefined
  /** Guessing is slowed here as it is at the S3 listeners. */
  readonly failures: FailureCounts
  /** Tells apart the cookies of gateways on one host: cookies know no ports. */
  readonly cookieName: string
  /** The cookie is for TLS only. */
  readonly secure: boolean
}

/** Who may look at traces: holders of the token, and accounts of the role `admin`. */
export interface Sessions {
  readonly accepts: readonly ('token' | 'account')[]
  /** Who asks: an access key or `token`; undefined where nobody says, or says something that is not so. */
  identify(incoming: IncomingMessage): Promise<string | undefined>
  /** The Set-Cookie of a new session; undefined where token or account are wrong. */
  open(login: Login, incoming: IncomingMessage): Promise<string | undefined>
  /** The Set-Cookie that ends a session. */
  close(incoming: IncomingMessage): string
}

const LIFETIME_MS = 12 * 3600 * 1000
const MAX_SESSIONS = 1000
/** Refusals held back at one time; more are given at once. */
const MAX_WAITING = 200

interface Session {
  readonly who: string
  /** Ends the session when the secret changes. */
  readonly secretHash: Buffer | undefined
  readonly untilMs: number
}

export function createSessions(options: SessionsOptions): Sessions {
  const { accounts, token, failures, cookieName } = options
  const sessions = new Map<string, Session>()
  let waiting = 0

  const isAdmin = createAdminCheck(accounts)
  const check = async (login: Login, { socket }: IncomingMessage): Promise<string | undefined> => {
    if ('token' in login) {
      if (token !== undefined && isSame(login.token, token)) return 'token'
    } else if (login.access !== '' && isPrivate(socket)) {
      const { access, secret } = login
      if (await isAdmin(access, (own) => isSame(secret, own))) return access
    }
    const delayMs = failures.add(socket.remoteAddress ?? '', 'token' in login ? '' : login.access)
    if (delayMs > 0 && waiting < MAX_WAITING) {
      waiting++
      await sleep(delayMs)
      waiting--
    }
    return undefined
  }

  const ofCookie = async (incoming: IncomingMessage): Promise<string | undefined> => {
    const id = cookieOf(incoming, cookieName)
    const session = id === undefined ? undefined : sessions.get(id)
    if (id === undefined || session === undefined) return undefined
    const { who, secretHash, untilMs } = session
    const isValid =
      untilMs > Date.now() &&
      (secretHash === undefined || (await isAdmin(who, (own) => digest(own).equals(secretHash))))
    if (!isValid) sessions.delete(id)
    return isValid ? who : undefined
  }

  return {
    accepts: token === undefined ? ['account'] : ['token', 'account'],
    async identify(incoming) {
      const login = readAuthorization(incoming.headers.authorization)
      if (login !== undefined) return check(login, incoming)
      return ofCookie(incoming)
    },
    async open(login, incoming) {
      const who = await check(login, incoming)
      if (who === undefined) return undefined
      for (const oldest of sessions.keys()) {
        if (sessions.size < MAX_SESSIONS) break
        sessions.delete(oldest)
      }
      const id = randomBytes(32).toString('base64url')
      const secretHash = 'token' in login ? undefined : digest(login.secret)
      sessions.set(id, { who, secretHash, untilMs: Date.now() + LIFETIME_MS })
      return setCookie(options, id, LIFETIME_MS / 1000)
    },
    close(incoming) {
      sessions.delete(cookieOf(incoming, cookieName) ?? '')
      return setCookie(options, '', 0)
    },
  }
}

/** Whether there is an admin of this access key and secret. An account store that cannot be asked lets nobody in. */
function createAdminCheck(accounts: SessionsOptions['accounts']) {
  return async (access: string, isSecret: (secret: string) => boolean): Promise<boolean> => {
    const matches = async (): Promise<boolean> => {
      const account = await accounts.find(access, undefined)
      // The comparison is made in any case: its time tells nothing.
      const fits = isSecret(account?.secret ?? '')
      return fits && account?.role === 'admin'
    }
    try {
      if (await matches()) return true
      // It may have been changed in its store a moment ago.
      return (await accounts.recheck(access, undefined)) === true && (await matches())
    } catch {
      return false
    }
  }
}

/** A secret key is good for all of S3: over a network it is taken by TLS alone. */
function isPrivate(socket: Socket): boolean {
  const { remoteAddress } = socket
  if ('encrypted' in socket) return true
  return remoteAddress === undefined || /^(?:::ffff:)?127\.|^::1$/.test(remoteAddress)
}

function setCookie({ cookieName, secure }: SessionsOptions, value: string, maxAge: number): string {
  return `${cookieName}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
}

function cookieOf({ headers }: IncomingMessage, name: string): string | undefined {
  for (const pair of (headers.cookie ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}

/** RFC 7617 and RFC 6750. */
function readAuthorization(header: string | undefined): Login | undefined {
  if (header === undefined) return undefined
  const space = header.indexOf(' ')
  const scheme = header.slice(0, space).toLowerCase()
  const value = header.slice(space + 1).trim()
  if (scheme === 'bearer') return { token: value }
  if (scheme !== 'basic') return { token: '' }
  const text = Buffer.from(value, 'base64').toString()
  const colon = text.indexOf(':')
  return colon < 0 ? { token: '' } : { access: text.slice(0, colon), secret: text.slice(colon + 1) }
}

/** In a time that tells nothing of either. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other)) && other !== ''
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
