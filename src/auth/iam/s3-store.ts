import aws4 from 'aws4'
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3Error } from '../../s3/errors.ts'
import type { Account, AccountChanges, AccountStore, StoreCall } from './account-store.ts'
import { AccountsDocument } from './accounts-document.ts'
import { HttpClient, type HttpAnswer } from './http-client.ts'
import { RemoteCalls, type RemoteOptions } from './remote-calls.ts'
import type { S3StoreConfig } from './store-config.ts'

/** Accounts in the object `users.json` of a bucket, which VersityGW reads and writes too. */
export function createS3Store(config: S3StoreConfig, options: RemoteOptions = {}): AccountStore {
  const calls = new RemoteCalls('s3', options)
  const object = new UsersObject(config)
  const read = async (call: StoreCall): Promise<AccountsDocument> => {
    const users = await calls.run((signal) => object.read({ ...call, signal }), call)
    return users.document
  }
  const change = async <T>(edit: Edit<T>, call: StoreCall): Promise<T> =>
    calls.run((signal) => object.change(edit, { ...call, signal }), call)
  return {
    type: 's3',
    get: async (access, call) => (await read(call)).get(access),
    create: (account, call) => change(creation(account), call),
    update: (access, changes, call) => change(alteration(access, changes), call),
    delete: (access, call) => change(deletion(access), call),
    list: async (call) => (await read(call)).list(),
    async close() {
      calls.close()
      object.close()
    },
  }
}

interface Edit<T> {
  /** Changes the document; undefined where there is nothing to change. */
  readonly apply: (users: AccountsDocument) => { readonly result: T } | undefined
  /** Whether the document of later still holds what was done. */
  readonly isKept: (users: AccountsDocument) => boolean
  /** The result where there was nothing to change. */
  readonly otherwise: () => T
}

function creation(account: Account): Edit<void> {
  return {
    apply(users) {
      if (users.get(account.access) !== undefined) throw new S3Error('XAdminUserExists')
      users.put(account)
      return { result: undefined }
    },
    isKept: (users) => users.get(account.access) !== undefined,
    otherwise: () => undefined,
  }
}

function alteration(access: string, changes: AccountChanges): Edit<Account> {
  return {
    apply(users) {
      const result = users.update(access, changes)
      return result && { result }
    },
    isKept(users) {
      const account = users.get(access)
      return JSON.stringify(account) === JSON.stringify({ ...account, ...changes })
    },
    otherwise() {
      throw new S3Error('XAdminUserNotFound')
    },
  }
}

function deletion(access: string): Edit<void> {
  return {
    apply: (users) => (users.delete(access) ? { result: undefined } : undefined),
    isKept: (users) => users.get(access) === undefined,
    otherwise: () => undefined,
  }
}

interface Users {
  readonly document: AccountsDocument
  /** Undefined where there is no object yet. */
  readonly etag: string | undefined
}

interface Request extends StoreCall {
  readonly signal: AbortSignal
}

/** Names of S3 errors that mean: somebody else has written meanwhile. */
const CONFLICTS = new Set(['PreconditionFailed', 'ConditionalRequestConflict', 'NoSuchKey'])

/**
 * The object and how it is changed: read, edited, and written on condition that it is still the one that was read (If-Match
 * on its ETag, If-None-Match: * where there was none), again from the start where it is not.
 *
 * An endpoint that does not know conditional writes answers NotImplemented. There the best S3 allows is to write and look
 * again a moment later whether another writer has overwritten it, and then repeat the edit. Changes of one process never
 * meet: they queue.
 */
class UsersObject {
  readonly #config: S3StoreConfig
  readonly #http: HttpClient
  readonly #path: string
  #conditional = true
  #last: Promise<unknown> = Promise.resolve()

  constructor(config: S3StoreConfig) {
    this.#config = config
    this.#http = new HttpClient(config.endpoint, { verify: config.verifyTls })
    this.#path = `/${encodeURIComponent(config.bucket)}/users.json`
  }

  async read(request: Request): Promise<Users> {
    const answer = await this.#send('GET', {}, undefined, request)
    if (answer.status === 200) {
      return { document: AccountsDocument.parse(answer.body), etag: answer.headers.etag }
    }
    // Before the first account there is no object. Any other 404, such as NoSuchBucket, is a wrong setting.
    if (errorCode(answer) === 'NoSuchKey')
      return { document: AccountsDocument.empty(), etag: undefined }
    throw unexpected('GET', answer)
  }

  async change<T>(edit: Edit<T>, request: Request): Promise<T> {
    const turn = this.#last.then(() => this.#change(edit, request))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  close(): void {
    this.#http.close()
  }

  async #change<T>(edit: Edit<T>, request: Request): Promise<T> {
    const { signal } = request
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted()
      const users = await this.read(request)
      const applied = edit.apply(users.document)
      if (applied === undefined) return edit.otherwise()
      const isWritten = await this.#write(users, request)
      if (isWritten && this.#conditional) return applied.result
      await sleep(backoffMs(attempt), undefined, { signal })
      if (isWritten && edit.isKept((await this.read(request)).document)) return applied.result
    }
  }

  /** False where the object is no longer the one that was read. */
  async #write({ document, etag }: Users, request: Request): Promise<boolean> {
    const condition = etag === undefined ? { 'if-none-match': '*' } : { 'if-match': etag }
    const headers = { 'content-type': 'application/json', ...(this.#conditional && condition) }
    const answer = await this.#send('PUT', headers, document.toBytes(), request)
    if (answer.status === 200) return true
    const code = errorCode(answer)
    if (this.#conditional && code === 'NotImplemented') {
      this.#conditional = false
      return this.#write({ document, etag }, request)
    }
    if (this.#conditional && CONFLICTS.has(code)) return false
    throw unexpected('PUT', answer)
  }

  async #send(
    method: 'GET' | 'PUT',
    headers: Readonly<Record<string, string>>,
    body: Buffer | undefined,
    { signal, traceHeaders }: Request,
  ): Promise<HttpAnswer> {
    const { access, secret, region } = this.#config
    const signed = aws4.sign(
      {
        service: 's3',
        region,
        method,
        host: this.#http.base.host,
        path: this.#http.target(this.#path),
        headers: { ...headers, 'x-amz-content-sha256': sha256(body ?? Buffer.alloc(0)) },
        ...(body !== undefined && { body }),
      },
      { accessKeyId: access, secretAccessKey: secret },
    )
    return this.#http.send({
      method,
      path: this.#path,
      // The trace context is added after signing: proxies may change it.
      headers: {
        ...textHeaders(signed.headers),
        ...traceHeaders,
      },
      ...(body !== undefined && { body }),
      signal,
      repeatable: method === 'GET',
    })
  }
}

function textHeaders(headers: object | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]),
  )
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Code of an S3 error document; empty where there is none. */
function errorCode({ status, body }: HttpAnswer): string {
  if (status < 300) return ''
  return /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(body.toString('utf8', 0, 65_536))?.[1] ?? ''
}

function unexpected(method: string, answer: HttpAnswer): Error {
  return new Error(`${method} users.json: status ${answer.status} ${errorCode(answer)}`.trimEnd())
}

/** Grows to half a second, with chance in it so that rivals part. */
function backoffMs(attempt: number): number {
  return Math.min(500, 10 * 2 ** attempt) * (0.5 + Math.random())
}
