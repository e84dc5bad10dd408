import type { Span } from '../trace/recorder.ts'
import type { Account, Role } from './iam/account-store.ts'

/** Who is asking, once a signature has been verified. */
export interface Identity {
  /** Access key, or undefined for an anonymous caller. */
  readonly accessKey: string | undefined
  readonly role: Role | undefined
  readonly isRoot: boolean
  /** POSIX ids of the account, which `--chuid` and `--chgid` give to what it makes; an anonymous caller has none. */
  readonly userId?: number | undefined
  readonly groupId?: number | undefined
}

/** Where accounts are looked up: the root account and, behind it, an account store. */
export interface Accounts {
  readonly rootAccess: string
  /**
   * Undefined where there is no such account. The root account and those that were looked up lately come at once, others by
   * promise. The look-up's span is recorded below `under`.
   */
  find(access: string, under: Span | undefined): Account | undefined | Promise<Account | undefined>
}
