import { S3Error } from '../../s3/errors.ts'
import { fromRecord, isObject, sortAccounts, toRecord } from './account-record.ts'
import type { Account, AccountStore, StoreCall } from './account-store.ts'
import { RemoteCalls, unusableAccount, type RemoteOptions } from './remote-calls.ts'
import type { VaultStoreConfig } from './store-config.ts'
import { refusal, VaultClient, type VaultAnswer } from './vault-client.ts'

/** How long listing may take: it asks for every account. */
const LIST_TIMEOUT_MS = 60_000

/** Accounts that a listing asks for at a time. */
const LIST_WIDTH = 8

/**
 * Accounts in a KV v2 engine of HashiCorp Vault or OpenBao: secret `{path}/{access}` with the data
 * `{"{access}": {account}}`, as VersityGW keeps them.
 */
export function createVaultStore(
  config: VaultStoreConfig,
  options: RemoteOptions = {},
): AccountStore {
  const calls = new RemoteCalls('vault', options)
  const secrets = new Secrets(config)
  return {
    type: 'vault',
    async get(access, call) {
      if (!isSegment(access)) return undefined
      const secret = await calls.run((signal) => secrets.read(access, { ...call, signal }), call)
      return secret.account
    },
    async create(account, call) {
      if (!isSegment(account.access)) {
        throw new S3Error('InvalidArgument', {}, { message: 'The access key cannot be stored.' })
      }
      await calls.run((signal) => create(secrets, account, { ...call, signal }), call)
    },
    update: (access, changes, call) =>
      calls.run(async (signal) => {
        for (;;) {
          const found = isSegment(access)
            ? await secrets.read(access, { ...call, signal })
            : undefined
          if (found?.account === undefined) throw new S3Error('XAdminUserNotFound')
          const account = { ...found.account, ...changes }
          if (await secrets.write(account, found.version, { ...call, signal })) return account
        }
      }, call),
    async delete(access, call) {
      if (!isSegment(access)) return
      await calls.run((signal) => secrets.delete(access, { ...call, signal }), call)
    },
    list: (call) =>
      calls.run((signal) => list(secrets, { ...call, signal }), call, LIST_TIMEOUT_MS),
    async close() {
      calls.close()
      secrets.close()
    },
  }
}

interface Request extends StoreCall {
  readonly signal: AbortSignal
}

interface Secret {
  readonly account: Account | undefined
  /** 0 where the secret has never been written. */
  readonly version: number
}

async function create(secrets: Secrets, account: Account, request: Request): Promise<void> {
  let version = 0
  while (!(await secrets.write(account, version, request))) {
    const found = await secrets.read(account.access, request)
    if (found.account !== undefined) throw new S3Error('XAdminUserExists')
    // A secret whose last version was deleted by hand goes on counting from there.
    version = found.version
  }
}

async function list(secrets: Secrets, request: Request): Promise<readonly Account[]> {
  const left = [...(await secrets.names(request))]
  const accounts: Account[] = []
  const worker = async (): Promise<void> => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const account = await secrets.read(name, request).then((secret) => secret.account, skipOdd)
      if (account !== undefined) accounts.push(account)
    }
  }
  await Promise.all(Array.from({ length: LIST_WIDTH }, worker))
  return sortAccounts(accounts)
}

/** A listing leaves out what is no account. */
function skipOdd(error: unknown): undefined {
  if (!(error instanceof S3Error)) throw error
}

/** The secrets of the storage path. */
class Secrets {
  readonly #client: VaultClient
  readonly #mount: string
  readonly #folder: string

  constructor(config: VaultStoreConfig) {
    this.#client = new VaultClient(config)
    this.#mount = encodePath(config.mountPath)
    this.#folder = encodePath(config.storagePath)
  }

  async read(access: string, request: Request): Promise<Secret> {
    const answer = await this.#client.send('GET', this.#path('data', access), undefined, request)
    if (answer.status === 404) return { account: undefined, version: deletedVersion(answer) }
    if (answer.status !== 200) throw refusal(answer)
    const { data, metadata } = dataOf(answer)
    const version = isObject(metadata) ? metadata['version'] : undefined
    if (typeof version !== 'number') throw new Error('the secret has no version')
    const account =
      isObject(data) && Object.hasOwn(data, access) ? fromRecord(access, data[access]) : undefined
    if (account === undefined) {
      throw unusableAccount(`vault: the secret of ${JSON.stringify(access)} holds no account`)
    }
    return { account, version }
  }

  /** Check-and-set: false where `version` is not the current one. */
  async write(account: Account, version: number, request: Request): Promise<boolean> {
    const { access } = account
    const body = { data: { [access]: toRecord(account) }, options: { cas: version } }
    const answer = await this.#client.send('POST', this.#path('data', access), body, request)
    if (answer.status === 200 || answer.status === 204) return true
    if (answer.status === 400 && answer.errors.some((text) => text.includes('check-and-set'))) {
      return false
    }
    throw refusal(answer)
  }

  /** With all versions, so that the name is free again. */
  async delete(access: string, request: Request): Promise<void> {
    const path = this.#path('metadata', access)
    const answer = await this.#client.send('DELETE', path, undefined, request)
    if (answer.status !== 204 && answer.status !== 200 && !isAbsent(answer)) throw refusal(answer)
  }

  async names(request: Request): Promise<readonly string[]> {
    const path = `${this.#path('metadata')}?list=true`
    const answer = await this.#client.send('GET', path, undefined, request)
    if (isAbsent(answer)) return []
    if (answer.status !== 200) throw refusal(answer)
    const { keys } = dataOf(answer)
    if (!Array.isArray(keys)) throw new Error('the list of secrets has no keys')
    return keys.filter((key) => typeof key === 'string' && isSegment(key))
  }

  close(): void {
    this.#client.close()
  }

  #path(kind: 'data' | 'metadata', access?: string): string {
    const name = access === undefined ? '' : encodeURIComponent(access)
    return `/v1${this.#mount}/${kind}${this.#folder}/${name}`
  }
}

/** Vault answers 404 with an empty list of errors; one that names an error means a mount that is not there. */
function isAbsent(answer: VaultAnswer): boolean {
  return answer.status === 404 && answer.errors.length === 0
}

/** A secret whose last version is deleted answers 404 with its metadata. */
function deletedVersion(answer: VaultAnswer): number {
  if (!isAbsent(answer)) throw refusal(answer)
  const { data } = answer
  const metadata = isObject(data) ? data['metadata'] : undefined
  const version = isObject(metadata) ? metadata['version'] : undefined
  return typeof version === 'number' ? version : 0
}

function dataOf(answer: VaultAnswer): Record<string, unknown> {
  if (isObject(answer.data)) return answer.data
  throw new Error('the answer has no data')
}

/** `/a/b` from `a/b` or `/a/b/`, each part encoded; empty from nothing. */
function encodePath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '')
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('')
}

/** Whether a name stands for one secret of the folder: neither the folder itself nor a way out of it. */
function isSegment(access: string): boolean {
  return access !== '' && access !== '.' && access !== '..' && !/[/\p{Cc}\p{Cs}]/u.test(access)
}
