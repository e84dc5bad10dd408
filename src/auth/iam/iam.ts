import { S3Error } from '../../s3/errors.ts'
import { contextHeaders } from '../../trace/propagation.ts'
import { correlationIds, type CorrelationIds } from '../../trace/correlation.ts'
import { Health } from '../../trace/health.ts'
import { SPAN } from '../../trace/names.ts'
import type { Span } from '../../trace/recorder.ts'
import type { Accounts } from '../identity.ts'
import { printable } from '../printable.ts'
import { AccountCache, type CacheOptions, type KnownAccount } from './account-cache.ts'
import {
  UnusableAccount,
  type Account,
  type AccountChanges,
  type AccountStore,
  type StoreCall,
} from './account-store.ts'

/**
 * All accounts of the gateway: root's, which lives in no store, and those of one store with a cache in front. Each call is an
 * `IAM.*` span below `under`. Methods throw what AccountStore's do; only `find` and `recheck` use the cache.
 */
export interface Iam extends Accounts {
  readonly type: AccountStore['type']
  /** Whether the store could be asked the last time it was. */
  readonly health: Health
  /**
   * For a request whose signature does not fit: asks the store whether the account has another secret by now. Undefined
   * where it was asked only just now, as for any access key that is not known. Never rejects.
   */
  recheck(access: string, under: Span | undefined): Promise<boolean> | undefined
  /** XAdminUserExists also for root's name. */
  create(account: Account, under: Span | undefined): Promise<void>
  /** XAdminUserNotFound also for root's name. */
  update(access: string, changes: AccountChanges, under: Span | undefined): Promise<Account>
  delete(access: string, under: Span | undefined): Promise<void>
  /** Without root's. */
  list(under: Span | undefined): Promise<readonly Account[]>
  /** Another process of this gateway has changed an account, or tried to: what the cache has of it counts no more. */
  onChangedElsewhere(change: AccountChange): void
  /** What another process of this gateway may go on with while the store cannot be asked. */
  known(access: string): KnownAccount | undefined
  close(): Promise<void>
}

/** What other processes are to know of a change. */
export interface AccountChange {
  readonly access: string
  /** False where the store failed: it may have taken the change or not. */
  readonly isCertain: boolean
}

export interface IamOptions {
  readonly root: { readonly access: string; readonly secret: string }
  readonly store: AccountStore
  readonly cache: CacheOptions
  readonly log: IamLog
  /** Tells the gateway's other processes; a change is over when they know, or cannot be reached. Never rejects. */
  readonly tellOthers?: (change: AccountChange) => Promise<void>
  /** `--iam-debug`: each call of the store is a line of the log. */
  readonly debug: boolean
}

/** Facts go as fields, which the log escapes: access keys are whatever a request says they are. */
export type IamLog = (
  level: 'info' | 'warn',
  facts: Readonly<Record<string, unknown>>,
  message: string,
) => void

export function createIam(options: IamOptions): Iam {
  return new StoredAccounts(options)
}

type Operation = 'GetUserAccount' | 'CreateUser' | 'UpdateUser' | 'DeleteUser' | 'ListUsers'

class StoredAccounts implements Iam {
  readonly rootAccess: string
  readonly health: Health
  readonly #root: Account
  readonly #store: AccountStore
  readonly #cache: AccountCache
  readonly #log: IamLog
  readonly #tellOthers: (change: AccountChange) => Promise<void>
  readonly #debug: boolean

  constructor({ root, store, cache, log, tellOthers, debug }: IamOptions) {
    this.rootAccess = root.access
    this.health = new Health(`iam.${store.type}`)
    this.#root = {
      access: root.access,
      secret: root.secret,
      role: 'admin',
      userId: 0,
      groupId: 0,
      projectId: 0,
    }
    this.#store = store
    this.#cache = new AccountCache(cache)
    this.#log = log
    this.#tellOthers = tellOthers ?? (() => Promise.resolve())
    this.#debug = debug
  }

  get type(): AccountStore['type'] {
    return this.#store.type
  }

  find(
    access: string,
    under: Span | undefined,
  ): Account | undefined | Promise<Account | undefined> {
    if (access === this.rootAccess) return this.#root
    if (this.type === 'single') return undefined
    const span = this.#span('GetUserAccount', under)
    const found = this.#cache.find(access, () => this.#lookUp(access, span))
    if (found instanceof Promise) return ended(span, found)
    if (span !== undefined) {
      span.set('iam.cache_hit', true)
      span.end()
    }
    return found
  }

  recheck(access: string, under: Span | undefined): Promise<boolean> | undefined {
    if (this.type === 'single') return undefined
    const changed = this.#cache.recheck(access, () => {
      const span = this.#span('GetUserAccount', under)
      return ended(span, this.#lookUp(access, span))
    })
    // The store may have one of root's name: it is looked up like any other, and is not him.
    return access === this.rootAccess ? changed?.then(() => false) : changed
  }

  async create(account: Account, under: Span | undefined): Promise<void> {
    if (account.access === this.rootAccess) throw new S3Error('XAdminUserExists')
    await this.#change('CreateUser', account.access, under, async (call) => {
      await this.#store.create(account, call)
      return account
    })
  }

  async update(access: string, changes: AccountChanges, under: Span | undefined): Promise<Account> {
    if (access === this.rootAccess) throw new S3Error('XAdminUserNotFound')
    return this.#change('UpdateUser', access, under, (call) =>
      this.#store.update(access, changes, call),
    )
  }

  async delete(access: string, under: Span | undefined): Promise<void> {
    await this.#change('DeleteUser', access, under, async (call) => {
      await this.#store.delete(access, call)
      return undefined
    })
  }

  list(under: Span | undefined): Promise<readonly Account[]> {
    const span = this.#span('ListUsers', under)
    return ended(
      span,
      this.#ask('ListUsers', undefined, span, (call) => this.#store.list(call)),
    )
  }

  onChangedElsewhere({ access, isCertain }: AccountChange): void {
    if (isCertain) this.#cache.forget(access)
    else this.#cache.doubt(access)
  }

  known(access: string): KnownAccount | undefined {
    return this.#cache.known(access)
  }

  async close(): Promise<void> {
    this.#cache.close()
    await this.#store.close()
  }

  #lookUp(access: string, span: Span | undefined): Promise<Account | undefined> {
    return this.#ask('GetUserAccount', access, span, (call) => this.#store.get(access, call))
  }

  /** What `run` brings back is what the account is from now on. */
  async #change<T extends Account | undefined>(
    operation: Operation,
    access: string,
    under: Span | undefined,
    run: (call: StoreCall) => Promise<T>,
  ): Promise<T> {
    const span = this.#span(operation, under)
    try {
      const account = await ended(span, this.#ask(operation, access, span, run))
      if (account === undefined) this.#cache.forget(access)
      else this.#cache.put(account)
      await this.#tellOthers({ access, isCertain: true })
      return account
    } catch (error) {
      // Whether the store has taken the change is not known.
      this.#cache.doubt(access)
      await this.#tellOthers({ access, isCertain: false })
      throw error
    }
  }

  async #ask<T>(
    operation: Operation,
    access: string | undefined,
    span: Span | undefined,
    run: (call: StoreCall) => Promise<T>,
  ): Promise<T> {
    const startMs = performance.now()
    let outcome = 'ok'
    try {
      const answer = await run({ traceHeaders: span && contextHeaders(span) })
      this.#tellHealth(true, span)
      return answer
    } catch (error) {
      outcome = error instanceof S3Error ? error.code : 'InternalError'
      if (outcome === 'InternalError' && !(causeOf(error) instanceof UnusableAccount))
        this.#tellHealth(false, span, error)
      throw error
    } finally {
      if (this.#debug) {
        const ms = Math.round(performance.now() - startMs)
        this.#log(
          'info',
          {
            ...idsOf(span),
            iam: this.type,
            operation,
            access: access && printable(access),
            ms,
            outcome,
          },
          'account store asked',
        )
      }
    }
  }

  #tellHealth(isHealthy: boolean, span: Span | undefined, error?: unknown): void {
    if (isHealthy === this.health.isUp) return
    this.health.note(isHealthy, span)
    const facts = { ...idsOf(span), iam: this.type }
    if (isHealthy) this.#log('info', facts, 'the account store answers again')
    else
      this.#log(
        'warn',
        { ...facts, err: causeOf(error) },
        'the account store cannot be asked; accounts that are known go on',
      )
  }

  #span(operation: Operation, under: Span | undefined): Span | undefined {
    return under?.child(SPAN.iam(operation), { 'iam.backend': this.type })
  }
}

/** Ends the span of a call that the cache could not answer. */
async function ended<T>(span: Span | undefined, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const isTold = error instanceof S3Error
    span?.set('error.type', isTold ? error.code : 'InternalError')
    if (!isTold || error.status >= 500)
      span?.fail({ type: 'InternalError', message: 'the account store cannot be asked' })
    throw error
  } finally {
    span?.set('iam.cache_hit', false)
    span?.end()
  }
}

function idsOf(span: Span | undefined): CorrelationIds | undefined {
  return span === undefined ? undefined : correlationIds(span)
}

function causeOf(error: unknown): unknown {
  return error instanceof S3Error && error.cause !== undefined ? error.cause : error
}
