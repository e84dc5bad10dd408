/** What an account may do at all: `user` cannot create buckets, `userplus` can, `admin` may do everything. */
export type Role = (typeof ROLES)[number]
export const ROLES = ['user', 'userplus', 'admin'] as const

export interface Account {
  /** Access key; holds no slash. */
  readonly access: string
  readonly secret: string
  readonly role: Role
  /** POSIX ids that `--chuid` and `--chgid` give to what the account makes; 0 unless told. */
  readonly userId: number
  readonly groupId: number
  /** Kept and told, without effect on posix. */
  readonly projectId: number
}

/** What an update may change; absent fields stay as they are. */
export type AccountChanges = Partial<Omit<Account, 'access'>>

/** What every look-up carries. */
export interface StoreCall {
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined
  /** Carry the trace on to stores that are asked over HTTP; no part of a signature. */
  readonly traceHeaders?: Readonly<Record<string, string>> | undefined
}

/**
 * Where accounts live: a file, an LDAP directory, Vault, an S3 object, FreeIPA. The root account is in none of them.
 *
 * Every method throws the S3 error a client may be told; a store that cannot be reached or answers nonsense throws
 * InternalError with its cause, within its own time limit.
 */
export interface AccountStore {
  /** `iam.backend` of the trace contract. */
  readonly type: 'single' | 'internal' | 'ldap' | 'vault' | 's3' | 'ipa'
  /** Undefined where there is no such account. */
  get(access: string, call: StoreCall): Promise<Account | undefined>
  /** XAdminUserExists where there is one of that name. */
  create(account: Account, call: StoreCall): Promise<void>
  /** XAdminUserNotFound where there is none. The account as it is now. */
  update(access: string, changes: AccountChanges, call: StoreCall): Promise<Account>
  /** Deleting what is not there is no error. */
  delete(access: string, call: StoreCall): Promise<void>
  /** In byte order of access keys. */
  list(call: StoreCall): Promise<readonly Account[]>
  close(): Promise<void>
}

/** Cause of an InternalError about one account, which is there but cannot be used: the store itself is well. */
export class UnusableAccount extends Error {}
