import { ROLES, type Account, type AccountChanges, type Role } from './account-store.ts'

/**
 * The document that holds accounts in VersityGW's format, in a file or an S3 object:
 * `{"accessAccounts":{"u1":{"access":"u1","secret":"s1","role":"user","userID":0,"groupID":0,"projectID":0}}}`
 *
 * Keys are sorted by their bytes. Fields that are not ours are kept as they are, in accounts and beside them.
 */
export class AccountsDocument {
  readonly #accounts: Map<string, Fields>
  readonly #others: readonly Entry[]

  private constructor(accounts: Map<string, Fields>, others: readonly Entry[]) {
    this.#accounts = accounts
    this.#others = others
  }

  static empty(): AccountsDocument {
    return new AccountsDocument(new Map(), [])
  }

  /** Throws AccountsDocumentError, whose message holds nothing of the document but names of fields. */
  static parse(bytes: Uint8Array): AccountsDocument {
    const document = objectOf(parseJson(bytes), 'it')
    const accounts = objectOf(document['accessAccounts'] ?? {}, 'accessAccounts')
    const entries = Object.entries(accounts).map(([access, value], i): [string, Fields] => {
      const fields = objectOf(value, `account ${i + 1}`)
      check(fields, `account ${i + 1}`)
      return [access, fields]
    })
    const others = Object.entries(document).filter(([name]) => name !== 'accessAccounts')
    return new AccountsDocument(new Map(entries), others)
  }

  get(access: string): Account | undefined {
    const fields = this.#accounts.get(access)
    return fields === undefined ? undefined : accountOf(access, fields)
  }

  /** In byte order of access keys. */
  list(): Account[] {
    return this.#sorted().map(([access, fields]) => accountOf(access, fields))
  }

  /** Adds or replaces an account. */
  put(account: Account): void {
    const { access, secret, role, userId, groupId, projectId } = account
    this.#accounts.set(access, {
      ...this.#accounts.get(access),
      access,
      secret,
      role,
      userID: userId,
      groupID: groupId,
      projectID: projectId,
    })
  }

  /** The account as it is now; undefined where there is none. */
  update(access: string, changes: AccountChanges): Account | undefined {
    const account = this.get(access)
    if (account === undefined) return undefined
    const updated = { ...account, ...changes }
    this.put(updated)
    return updated
  }

  /** Whether there was one. */
  delete(access: string): boolean {
    return this.#accounts.delete(access)
  }

  toBytes(): Buffer {
    const accounts = this.#sorted().map(([access, fields]) => member(access, fields))
    const others = this.#others.map(([name, value]) => member(name, value))
    return Buffer.from(`{${[`"accessAccounts":{${accounts.join(',')}}`, ...others].join(',')}}`)
  }

  #sorted(): [string, Fields][] {
    return [...this.#accounts].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }
}

/** The document is not what it should be. */
export class AccountsDocumentError extends Error {}

type Fields = Readonly<Record<string, unknown>>
type Entry = readonly [name: string, value: unknown]

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // The parser's own message quotes the text around the fault, which may be a secret.
    throw new AccountsDocumentError('it is not JSON')
  }
}

function objectOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new AccountsDocumentError(`${what} is not an object`)
}

function check(fields: Fields, what: string): void {
  if (typeof fields['secret'] !== 'string')
    throw new AccountsDocumentError(`${what}: secret is not a string`)
  for (const name of ['userID', 'groupID', 'projectID']) {
    if (!Number.isSafeInteger(fields[name] ?? 0))
      throw new AccountsDocumentError(`${what}: ${name} is not a whole number`)
  }
}

function accountOf(access: string, fields: Fields): Account {
  return {
    access,
    secret: String(fields['secret']),
    role: roleOf(fields['role']),
    userId: Number(fields['userID'] ?? 0),
    groupId: Number(fields['groupID'] ?? 0),
    projectId: Number(fields['projectID'] ?? 0),
  }
}

/** A role unheard of gives no right beyond the least. */
function roleOf(value: unknown): Role {
  return ROLES.find((role) => role === value) ?? 'user'
}

/** As Go writes JSON: what means something in HTML is escaped. */
function member(name: string, value: unknown): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`.replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
