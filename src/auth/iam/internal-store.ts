import { setTimeout as sleep } from 'node:timers/promises'
import { S3Error } from '../../s3/errors.ts'
import type { Account, AccountChanges, AccountStore } from './account-store.ts'
import { AccountsDocument, AccountsDocumentError } from './accounts-document.ts'

/** The file's name in `--iam-dir`. */
export const USERS_FILE = 'users.json'

/** The file, replaced as a whole and by one process at a time: src/io/shared-file.ts is one. */
export interface AccountsFile {
  /** The same Buffer as long as the file has not changed; undefined where there is none. */
  read(): Promise<Buffer | undefined>
  update(change: (content: Buffer | undefined) => Buffer | undefined): Promise<void>
  close(): Promise<void>
}

/** VersityGW waits for a missing file 300 times, for 100 ms each. */
const MISSING_MS = 30_000
const RETRY_MS = 100

/**
 * Accounts in a file, in VersityGW's format. Makes the file where there is none; throws where there is one that cannot be read.
 *
 * Should the file vanish later, look-ups wait for it to come back, half a minute from when it was first missed: from
 * then on they fail at once. It is never made anew, since the directory may be one that is just not mounted.
 */
export async function openInternalStore(
  file: AccountsFile,
  options: { readonly missingMs?: number } = {},
): Promise<AccountStore> {
  const store = new InternalStore(file, options.missingMs ?? MISSING_MS)
  await store.start()
  return store
}

class InternalStore implements AccountStore {
  readonly type = 'internal'
  readonly #file: AccountsFile
  readonly #missingMs: number
  #parsed: { readonly content: Buffer; readonly document: AccountsDocument } | undefined
  #missingSince: number | undefined

  constructor(file: AccountsFile, missingMs: number) {
    this.#file = file
    this.#missingMs = missingMs
  }

  async start(): Promise<void> {
    const content = await this.#file.read()
    if (content !== undefined) {
      this.#parse(content)
      return
    }
    await this.#file.update((found) =>
      found === undefined ? AccountsDocument.empty().toBytes() : undefined,
    )
  }

  async get(access: string): Promise<Account | undefined> {
    return (await this.#read()).get(access)
  }

  async list(): Promise<readonly Account[]> {
    return (await this.#read()).list()
  }

  create(account: Account): Promise<void> {
    return this.#change((document) => {
      if (document.get(account.access) !== undefined) throw new S3Error('XAdminUserExists')
      document.put(account)
      return true
    })
  }

  async update(access: string, changes: AccountChanges): Promise<Account> {
    let updated: Account | undefined
    await this.#change((document) => {
      updated = document.update(access, changes)
      return updated !== undefined
    })
    if (updated === undefined) throw new S3Error('XAdminUserNotFound')
    return updated
  }

  delete(access: string): Promise<void> {
    return this.#change((document) => document.delete(access))
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #read(): Promise<AccountsDocument> {
    try {
      for (;;) {
        const content = await this.#file.read()
        if (content !== undefined) return this.#parse(content)
        await this.#waitForFile()
      }
    } catch (error) {
      throw told(error)
    }
  }

  /** Runs `change` on a document of its own, which is stored where it gives true. */
  async #change(change: (document: AccountsDocument) => boolean): Promise<void> {
    try {
      for (;;) {
        let isMissing = false
        await this.#file.update((content) => {
          isMissing = content === undefined
          if (content === undefined) return undefined
          const document = AccountsDocument.parse(content)
          return change(document) ? document.toBytes() : undefined
        })
        if (!isMissing) break
        await this.#waitForFile()
      }
      this.#missingSince = undefined
    } catch (error) {
      throw told(error)
    }
  }

  #parse(content: Buffer): AccountsDocument {
    this.#missingSince = undefined
    if (this.#parsed?.content !== content)
      this.#parsed = { content, document: AccountsDocument.parse(content) }
    return this.#parsed.document
  }

  async #waitForFile(): Promise<void> {
    this.#missingSince ??= Date.now()
    if (Date.now() - this.#missingSince >= this.#missingMs)
      throw new Error(`${USERS_FILE} is missing`)
    await sleep(RETRY_MS)
  }
}

/** A client is told nothing of the file; the log gets the cause, which names no secret. */
function told(error: unknown): unknown {
  if (error instanceof S3Error) return error
  const cause =
    error instanceof AccountsDocumentError
      ? new Error(`${USERS_FILE} cannot be read: ${error.message}`)
      : error
  return new S3Error('InternalError', {}, { cause })
}
