import {
  AlreadyExistsError,
  AndFilter,
  Attribute,
  Change,
  EqualityFilter,
  NoSuchObjectError,
  type Entry,
  type Filter,
  type SearchOptions,
} from 'ldapts'
import { S3Error } from '../../s3/errors.ts'
import { sortAccounts } from './account-record.ts'
import type { Account, AccountChanges, AccountStore } from './account-store.ts'
import { escapeRdnValue } from './distinguished-name.ts'
import { accountOf, attributeValues, hasAccess } from './ldap-account.ts'
import { LdapConnection } from './ldap-connection.ts'
import { RemoteCalls, unusableAccount, type RemoteOptions } from './remote-calls.ts'
import type { LdapAttributes, LdapStoreConfig } from './store-config.ts'

/** How long listing may take. */
const LIST_TIMEOUT_MS = 60_000

/** Entries a page of a listing. */
const PAGE_SIZE = 500

/**
 * Accounts in an LDAP directory: entries of all the given object classes, anywhere below the query base, found by the
 * attribute of the access key; new ones are made as `{attribute}={access key},{query base}`.
 *
 * Directories compare names without regard to case and spacing. An access key is one exact word: `Alice` is not `alice`.
 */
export function createLdapStore(
  config: LdapStoreConfig,
  options: RemoteOptions = {},
): AccountStore {
  const calls = new RemoteCalls('ldap', options)
  const directory = new Directory(config)
  return {
    type: 'ldap',
    get: (access, call) => calls.run((signal) => directory.get(access, signal), call),
    create: (account, call) => calls.run((signal) => directory.create(account, signal), call),
    update: (access, changes, call) =>
      calls.run((signal) => directory.update(access, changes, signal), call),
    delete: (access, call) => calls.run((signal) => directory.delete(access, signal), call),
    list: (call) => calls.run((signal) => directory.list(signal), call, LIST_TIMEOUT_MS),
    async close() {
      calls.close()
      directory.close()
    },
  }
}

class Directory {
  readonly #config: LdapStoreConfig
  readonly #connection: LdapConnection

  constructor(config: LdapStoreConfig) {
    this.#config = config
    this.#connection = new LdapConnection(config)
  }

  async get(access: string, signal: AbortSignal): Promise<Account | undefined> {
    const entry = await this.#find(access, signal)
    return entry && accountOf(access, entry, this.#config.attributes)
  }

  async create(account: Account, signal: AbortSignal): Promise<void> {
    const { attributes, objectClasses, queryBase } = this.#config
    if ((await this.#find(account.access, signal)) !== undefined) {
      throw new S3Error('XAdminUserExists')
    }
    const dn = `${attributes.access}=${escapeRdnValue(account.access)},${queryBase}`
    const entry = {
      objectClass: [...objectClasses],
      [attributes.access]: account.access,
      ...Object.fromEntries(this.#valuesOf(account)),
    }
    try {
      await this.#connection.use((client) => client.add(dn, entry), signal, false)
    } catch (error) {
      if (error instanceof AlreadyExistsError)
        throw new S3Error('XAdminUserExists', {}, { cause: error })
      throw error
    }
  }

  async update(access: string, changes: AccountChanges, signal: AbortSignal): Promise<Account> {
    const entry = await this.#find(access, signal)
    if (entry === undefined) throw new S3Error('XAdminUserNotFound')
    const modifications = this.#valuesOf(changes).map(
      ([type, value]) =>
        new Change({
          operation: 'replace',
          modification: new Attribute({ type, values: [value] }),
        }),
    )
    if (modifications.length > 0) {
      await this.#connection
        .use((client) => client.modify(entry.dn, modifications), signal, false)
        .catch(asNotFound)
    }
    const account = await this.get(access, signal)
    if (account === undefined) throw new S3Error('XAdminUserNotFound')
    return account
  }

  async delete(access: string, signal: AbortSignal): Promise<void> {
    const entry = await this.#find(access, signal)
    if (entry === undefined) return
    await this.#connection
      .use((client) => client.del(entry.dn), signal, false)
      .catch((error: unknown) => {
        if (!(error instanceof NoSuchObjectError)) throw error
      })
  }

  async list(signal: AbortSignal): Promise<readonly Account[]> {
    const entries = await this.#search([], { paged: { pageSize: PAGE_SIZE } }, signal)
    const { attributes } = this.#config
    const accounts = entries.map((entry) => {
      const [access] = attributeValues(entry, attributes.access)
      return access === undefined ? undefined : usable(access, entry, attributes)
    })
    return sortAccounts(accounts.filter((account) => account !== undefined))
  }

  close(): void {
    this.#connection.close()
  }

  /** The entry of exactly this access key. */
  async #find(access: string, signal: AbortSignal): Promise<Entry | undefined> {
    const { attributes } = this.#config
    const filter = new EqualityFilter({ attribute: attributes.access, value: Buffer.from(access) })
    const entries = await this.#search([filter], { sizeLimit: 100 }, signal)
    const [entry, second] = entries.filter((one) => hasAccess(one, access, attributes))
    if (second === undefined) return entry
    throw unusableAccount(`ldap: several entries have the access key ${JSON.stringify(access)}`)
  }

  async #search(
    filters: readonly Filter[],
    options: SearchOptions,
    signal: AbortSignal,
  ): Promise<readonly Entry[]> {
    const { attributes, objectClasses, queryBase } = this.#config
    const classes = objectClasses.map(
      (value) => new EqualityFilter({ attribute: 'objectClass', value: Buffer.from(value) }),
    )
    const search: SearchOptions = {
      scope: 'sub',
      // A filter goes to the server as a structure whose values are bytes: there is no text in which they could mean more.
      filter: new AndFilter({ filters: [...classes, ...filters] }),
      attributes: Object.values(attributes),
      timeLimit: 10,
      ...options,
    }
    const result = await this.#connection.use(
      (client) => client.search(queryBase, search),
      signal,
      true,
    )
    return result.searchEntries
  }

  /** What is told of an account besides its name, as the directory's attributes. */
  #valuesOf(account: AccountChanges): readonly (readonly [type: string, value: string])[] {
    const { attributes } = this.#config
    const fields = ['secret', 'role', 'userId', 'groupId', 'projectId'] as const
    return fields.flatMap((field) => {
      const value = account[field]
      return value === undefined ? [] : [[attributes[field], String(value)] as const]
    })
  }
}

/** A listing leaves out what is no account. */
function usable(access: string, entry: Entry, attributes: LdapAttributes): Account | undefined {
  try {
    return accountOf(access, entry, attributes)
  } catch {
    return undefined
  }
}

function asNotFound(error: unknown): never {
  if (error instanceof NoSuchObjectError)
    throw new S3Error('XAdminUserNotFound', {}, { cause: error })
  throw error
}
