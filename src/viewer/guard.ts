import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { networkOf } from '../auth/failure-counts.ts'

/** Why a request is not looked at any further. */
export interface Refusal {
  readonly status: 403 | 429
  readonly error: string
}

export interface GuardOptions {
  /** Names the viewer is reached by, beside addresses, `localhost` and the name of this host. */
  readonly hosts: readonly string[]
  readonly secure: boolean
}

/** Looks at where a request comes from, before at who sent it. */
export type Guard = (incoming: IncomingMessage) => Refusal | undefined

/**
 * A page elsewhere can make a browser send requests here. It cannot read the answers, unless its own name is made to
 * resolve to this address (DNS rebinding): so only names that are ours are answered. What a page elsewhere sends on purpose
 * carries its Origin, or says so in Sec-Fetch-Site.
 */
export function createGuard({ hosts, secure }: GuardOptions): Guard {
  const names = new Set([...hosts, 'localhost', hostname()].map((name) => name.toLowerCase()))
  const rates = new Rates(PER_SECOND, BURST)
  const files = new Rates(PER_SECOND * FILES_A_PAGE, BURST * FILES_A_PAGE)
  return (incoming) => {
    const { host = '', origin, 'sec-fetch-site': site } = incoming.headers
    if (!isOurs(host, names)) return { status: 403, error: 'this host name is not the viewer’s' }
    const own = `${secure ? 'https' : 'http'}://${host.toLowerCase()}`
    if (origin !== undefined && origin.toLowerCase() !== own)
      return { status: 403, error: 'requests of other origins are refused' }
    if (typeof site === 'string' && site !== 'same-origin' && site !== 'none' && !isPage(incoming))
      return { status: 403, error: 'requests of other sites are refused' }
    if (!(isPage(incoming) ? files : rates).allow(networkOf(incoming.socket.remoteAddress ?? '')))
      return { status: 429, error: 'too many requests' }
    return undefined
  }
}

/** A link on another page may lead to ours, which holds nothing by itself. */
function isPage({ url = '', method }: IncomingMessage): boolean {
  return method === 'GET' && !url.startsWith('/api/')
}

function isOurs(host: string, names: ReadonlySet<string>): boolean {
  const [, v6, name = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host.toLowerCase()) ?? []
  if (v6 !== undefined) return isIP(v6) === 6
  return isIP(name) === 4 || names.has(name.replace(/\.$/, ''))
}

const PER_SECOND = 50
const BURST = 200
/** The page is some twenty files, which lie in memory. */
const FILES_A_PAGE = 20
const MAX_CLIENTS = 1000

/** So many requests a second for each client, and some at once. */
class Rates {
  readonly #left = new Map<string, { tokens: number; atMs: number }>()
  readonly #perSecond: number
  readonly #burst: number

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  allow(client: string): boolean {
    const now = performance.now()
    const known = this.#left.get(client) ?? { tokens: this.#burst, atMs: now }
    this.#left.delete(client)
    const gained = ((now - known.atMs) * this.#perSecond) / 1000
    const tokens = Math.min(this.#burst, known.tokens + gained)
    for (const oldest of this.#left.keys()) {
      if (this.#left.size < MAX_CLIENTS) break
      this.#left.delete(oldest)
    }
    this.#left.set(client, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: now })
    return tokens >= 1
  }
}
