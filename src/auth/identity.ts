/** Who is asking, once a signature has been verified. */
export interface Identity {
  /** Access key, or undefined for an anonymous caller. */
  readonly accessKey: string | undefined
  readonly role: 'user' | 'userplus' | 'admin' | undefined
  readonly isRoot: boolean
}

export interface Account {
  readonly access: string
  readonly secret: string
  readonly role: 'user' | 'userplus' | 'admin'
}

/** Where accounts are looked up: the root account and, behind it, an account store. */
export interface Accounts {
  readonly rootAccess: string
  /** Undefined where there is no such account. A store on disk or network answers by promise, the root account at once. */
  find(accessKey: string): Account | undefined | Promise<Account | undefined>
}
