import { isObject, parseJson } from './account-record.ts'
import type { StoreCall } from './account-store.ts'
import { HttpClient } from './http-client.ts'
import { STORE_TIMEOUT_MS } from './remote-calls.ts'
import type { VaultStoreConfig } from './store-config.ts'

/** An answer of Vault's HTTP API, taken apart. */
export interface VaultAnswer {
  readonly status: number
  readonly data: unknown
  /** What Vault says is wrong. */
  readonly errors: readonly string[]
}

interface Request extends StoreCall {
  readonly signal: AbortSignal
}

/** Vault's HTTP API behind a login that is made when it is needed, and once more where a token is no longer taken. */
export class VaultClient {
  readonly #config: VaultStoreConfig
  readonly #http: HttpClient
  #token: Promise<string> | undefined

  constructor(config: VaultStoreConfig) {
    this.#config = config
    this.#http = new HttpClient(config.endpoint, {
      verify: true,
      ca: config.serverCert,
      cert: config.clientCert,
      key: config.clientCertKey,
    })
  }

  async send(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body: unknown,
    request: Request,
  ): Promise<VaultAnswer> {
    const token = this.#currentToken(request)
    const answer = await this.#authorized(method, path, body, { ...request, token: await token })
    if (answer.status !== 403 || this.#config.login.kind === 'token') return answer
    // Others may have logged in again meanwhile.
    if (this.#token === token) this.#token = undefined
    const renewed = await this.#currentToken(request)
    return this.#authorized(method, path, body, { ...request, token: renewed })
  }

  close(): void {
    this.#http.close()
  }

  #authorized(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body: unknown,
    { token, ...request }: Request & { readonly token: string },
  ): Promise<VaultAnswer> {
    const headers = { 'x-vault-token': token, ...inNamespace(this.#config.storageNamespace) }
    return this.#exchange({ method, path, body, headers }, request)
  }

  /** One login for all who wait for it, whoever of them goes; a failed one is not kept. */
  #currentToken({ traceHeaders }: Request): Promise<string> {
    if (this.#token !== undefined) return this.#token
    const token = this.#logIn({ traceHeaders, signal: AbortSignal.timeout(STORE_TIMEOUT_MS) })
    this.#token = token
    token.catch(() => {
      if (this.#token === token) this.#token = undefined
    })
    return token
  }

  async #logIn(request: Request): Promise<string> {
    const { login } = this.#config
    if (login.kind === 'token') return login.token
    const answer = await this.#exchange(
      {
        method: 'POST',
        path: `/v1/auth/${login.mount.split('/').map(encodeURIComponent).join('/')}/login`,
        body: { role_id: login.roleId, secret_id: login.roleSecret },
        headers: inNamespace(login.namespace),
      },
      request,
    )
    if (answer.status !== 200) throw new Error(`login: ${refusal(answer).message}`)
    const token = isObject(answer.auth) ? answer.auth['client_token'] : undefined
    if (typeof token !== 'string' || token === '') throw new Error('login: no token in the answer')
    return token
  }

  async #exchange(
    call: {
      readonly method: string
      readonly path: string
      readonly body: unknown
      readonly headers: Readonly<Record<string, string>>
    },
    { signal, traceHeaders }: Request,
  ): Promise<VaultAnswer & { readonly auth: unknown }> {
    const { method, path, body } = call
    const { status, body: text } = await this.#http.send({
      method,
      path,
      headers: {
        accept: 'application/json',
        // Agents and proxies of Vault may be told to insist on it.
        'x-vault-request': 'true',
        ...call.headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...traceHeaders,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
      repeatable: method === 'GET',
    })
    const answer = text.length === 0 ? {} : parseJson(text, `Vault's answer (status ${status})`)
    if (!isObject(answer)) throw new Error(`Vault's answer (status ${status}) is no object`)
    const { data, auth, errors } = answer
    const texts = Array.isArray(errors) ? errors.filter((one) => typeof one === 'string') : []
    return { status, data, auth, errors: texts }
  }
}

/** What Vault said, for the log. Its errors name paths and policies, not secrets. */
export function refusal({ status, errors }: VaultAnswer): Error {
  return new Error(`status ${status} ${errors.join('; ').slice(0, 300)}`.trimEnd())
}

function inNamespace(namespace: string | undefined): Record<string, string> {
  return namespace === undefined ? {} : { 'x-vault-namespace': namespace }
}
