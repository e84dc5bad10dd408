import { S3Error } from '../../s3/errors.ts'
import type { Account } from './account-store.ts'

export interface CacheOptions {
  /** How long an account is answered without asking the store; 0: never. */
  readonly ttlMs: number
  /** How long beyond that it is answered while the store cannot be asked; 0: never. */
  readonly staleMs: number
  /** How often what is of no more use is dropped. */
  readonly pruneMs: number
  /** Accounts held at a time: 10,000 unless said otherwise. */
  readonly maxAccounts?: number
  /** How long a request waits for the store before it takes an account that is out of date: 1 s unless said otherwise. */
  readonly patienceMs?: number
  /** Milliseconds since any moment. */
  readonly now?: () => number
  /** For an account unknown here while the store cannot be asked: what another process of the gateway knows of it. Never rejects. */
  readonly elsewhere?: (access: string) => Promise<KnownAccount | undefined>
}

export interface KnownAccount {
  readonly account: Account
  /** How long it may yet be answered while the store cannot be asked. */
  readonly staleMs: number
}

/** Asks the store. Rejects where it cannot be asked. */
export type LookUp = () => Promise<Account | undefined>

/**
 * That there is no such account is believed this long: enough for a burst of requests, too short to be in the way of
 * whoever creates the account after a first try, on this gateway or on another one.
 */
const ABSENT_MS = 1000
/** While the store cannot be asked: how often it is tried again, for each account. */
const RETRY_MS = 5000
const MAX_ACCOUNTS = 10_000
const MAX_ABSENT = 10_000
/** Different accounts looked up at one time; requests beyond are told to slow down. */
const MAX_PENDING = 1000
const PATIENCE_MS = 1000

/**
 * Accounts as they were looked up: whole, for a limited time, a limited number of them. However many requests ask for an
 * account, the store is asked once.
 *
 * When the store is down, accounts that it once knew go on for `staleMs`; when it says that an account is gone, it is gone.
 */
export class AccountCache {
  readonly #options: CacheOptions
  readonly #now: () => number
  readonly #entries = new Map<string, Entry>()
  /** Names without an account, and when that was found out. */
  readonly #absent = new Map<string, number>()
  readonly #pending = new Map<string, Promise<Account | undefined>>()
  readonly #elsewhere = new Map<string, Promise<KnownAccount | undefined>>()
  readonly #pruning: NodeJS.Timeout

  constructor(options: CacheOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#pruning = setInterval(() => this.prune(), options.pruneMs).unref()
  }

  get size(): number {
    return this.#entries.size
  }

  /** At once where it is known. */
  find(access: string, lookUp: LookUp): Account | undefined | Promise<Account | undefined> {
    const now = this.#now()
    const entry = this.#entries.get(access)
    if (entry !== undefined && now < entry.freshUntil) {
      entry.used = true
      return entry.account
    }
    if (this.#isAbsent(access, now)) return undefined
    if (entry === undefined || now >= entry.staleUntil)
      return this.#ask(access, lookUp).catch((error: unknown) => this.#askElsewhere(access, error))
    entry.used = true
    return this.#outOfDate(access, entry, lookUp)
  }

  /** What other processes may go on with. */
  known(access: string): KnownAccount | undefined {
    const entry = this.#entries.get(access)
    if (entry === undefined) return undefined
    const staleMs = entry.staleUntil - this.#now()
    return staleMs > 0 ? { account: entry.account, staleMs } : undefined
  }

  /** Whether the store has another secret by now; undefined where it was asked only just now. Never rejects. */
  recheck(access: string, lookUp: LookUp): Promise<boolean> | undefined {
    const now = this.#now()
    const entry = this.#entries.get(access)
    if (entry !== undefined && now < Math.max(entry.askedAt + ABSENT_MS, entry.retryAt))
      return undefined
    if (entry === undefined && this.#isAbsent(access, now)) return undefined
    const secret = entry?.account.secret
    return this.#ask(access, lookUp).then(
      (account) => account?.secret !== secret,
      () => {
        if (entry !== undefined) entry.retryAt = this.#now() + RETRY_MS
        return false
      },
    )
  }

  /** An account as it was just written: what look-ups on their way bring back is older. */
  put(account: Account): void {
    this.#pending.delete(account.access)
    this.#remember(account.access, account)
  }

  /** Nothing is known of this account any more. */
  forget(access: string): void {
    this.#pending.delete(access)
    this.#elsewhere.delete(access)
    this.#entries.delete(access)
    this.#absent.delete(access)
  }

  /** What is known of this account may have changed: it is asked for again, and goes on if it cannot be. */
  doubt(access: string): void {
    this.#pending.delete(access)
    this.#elsewhere.delete(access)
    const entry = this.#entries.get(access)
    if (entry !== undefined) entry.freshUntil = 0
    this.#absent.delete(access)
  }

  prune(): void {
    const now = this.#now()
    for (const [access, entry] of this.#entries)
      if (now >= entry.staleUntil) this.#entries.delete(access)
    for (const access of this.#absent.keys())
      if (!this.#isAbsent(access, now)) this.#absent.delete(access)
  }

  close(): void {
    clearInterval(this.#pruning)
  }

  #isAbsent(access: string, now: number): boolean {
    const foundOut = this.#absent.get(access)
    return foundOut !== undefined && now < foundOut + Math.min(ABSENT_MS, this.#options.ttlMs)
  }

  #ask(access: string, lookUp: LookUp): Promise<Account | undefined> {
    const known = this.#pending.get(access)
    if (known !== undefined) return known
    if (this.#pending.size >= MAX_PENDING) return Promise.reject(new S3Error('SlowDown'))
    const pending = lookUp().then(
      (account) => {
        if (this.#settle(access, pending)) this.#remember(access, account)
        return account
      },
      (error: unknown) => {
        this.#settle(access, pending)
        throw error
      },
    )
    this.#pending.set(access, pending)
    return pending
  }

  /** However many requests wait, the others are asked once. Rejects with `error` where they know nothing. */
  async #askElsewhere(access: string, error: unknown): Promise<Account | undefined> {
    const { elsewhere } = this.#options
    if (elsewhere === undefined || isSlowDown(error)) throw error
    let asked = this.#elsewhere.get(access)
    if (asked === undefined) {
      asked = elsewhere(access)
      this.#elsewhere.set(access, asked)
      void asked.then((known) => {
        // Forgotten meanwhile, it is not what is known any more.
        if (this.#elsewhere.get(access) !== asked) return
        this.#elsewhere.delete(access)
        if (known !== undefined) this.#takeOver(access, known)
      })
    }
    const known = await asked
    if (known === undefined) throw error
    return known.account
  }

  #takeOver(access: string, known: KnownAccount): void {
    const now = this.#now()
    this.#makeRoom()
    this.#entries.set(access, {
      account: known.account,
      askedAt: now,
      freshUntil: 0,
      staleUntil: now + known.staleMs,
      retryAt: now + RETRY_MS,
      used: true,
    })
  }

  /** False where the account was changed since it was asked for. */
  #settle(access: string, pending: Promise<Account | undefined>): boolean {
    return this.#pending.get(access) === pending && this.#pending.delete(access)
  }

  #outOfDate(access: string, entry: Entry, lookUp: LookUp): Account | Promise<Account | undefined> {
    if (entry.retryAt === 0) return this.#askOrGoOn(access, entry, lookUp)
    const now = this.#now()
    if (now >= entry.retryAt) {
      entry.retryAt = now + RETRY_MS
      // Nobody waits for it: the entry is replaced once the store answers again.
      this.#ask(access, lookUp).catch(() => undefined)
    }
    return entry.account
  }

  async #askOrGoOn(access: string, entry: Entry, lookUp: LookUp): Promise<Account | undefined> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<typeof LATE>((resolve) => {
      timer = setTimeout(resolve, this.#options.patienceMs ?? PATIENCE_MS, LATE)
    })
    try {
      const found = await Promise.race([this.#ask(access, lookUp), late])
      if (found !== LATE) return found
    } catch {
      // It goes on with what it was.
    } finally {
      clearTimeout(timer)
    }
    entry.retryAt = this.#now() + RETRY_MS
    return entry.account
  }

  #remember(access: string, account: Account | undefined): void {
    this.#entries.delete(access)
    this.#absent.delete(access)
    const now = this.#now()
    if (account === undefined) {
      makeRoom(this.#absent, MAX_ABSENT)
      this.#absent.set(access, now)
      return
    }
    this.#makeRoom()
    const freshUntil = now + this.#options.ttlMs
    const staleUntil = freshUntil + this.#options.staleMs
    this.#entries.set(access, {
      account,
      askedAt: now,
      freshUntil,
      staleUntil,
      retryAt: 0,
      used: false,
    })
  }

  /** The oldest goes, unless it was used since it became the oldest: then it becomes the youngest. */
  #makeRoom(): void {
    const max = this.#options.maxAccounts ?? MAX_ACCOUNTS
    for (const [access, entry] of this.#entries) {
      if (this.#entries.size < max) return
      this.#entries.delete(access)
      if (entry.used) this.#entries.set(access, { ...entry, used: false })
    }
  }
}

function isSlowDown(error: unknown): boolean {
  return error instanceof S3Error && error.code === 'SlowDown'
}

const LATE = Symbol('the store has not answered yet')

interface Entry {
  readonly account: Account
  readonly askedAt: number
  freshUntil: number
  readonly staleUntil: number
  /** When a store that could not be asked is to be asked again; 0 where it could. */
  retryAt: number
  used: boolean
}

function makeRoom(map: Map<string, unknown>, max: number): void {
  for (const oldest of map.keys()) {
    if (map.size < max) return
    map.delete(oldest)
  }
}
