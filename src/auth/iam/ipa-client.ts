import { isObject, parseJson } from './account-record.ts'
import type { StoreCall } from './account-store.ts'
import { HttpClient, type HttpAnswer } from './http-client.ts'
import { STORE_TIMEOUT_MS } from './remote-calls.ts'
import type { IpaStoreConfig } from './store-config.ts'

/** The version of the API that is spoken, which FreeIPA 4.11 and later know and earlier ones answer as their own. */
const API_VERSION = '2.254'

interface Request extends StoreCall {
  readonly signal: AbortSignal
}

/** A command that FreeIPA refused. */
export class IpaError extends Error {
  readonly code: number

  constructor(method: string, code: number, text: string) {
    super(`${method}: error ${code} ${text.slice(0, 300)}`.trimEnd())
    this.code = code
  }
}

/** FreeIPA's JSON-RPC behind a session that is opened when it is needed, and once more where it has ended. */
export class IpaClient {
  readonly #config: IpaStoreConfig
  readonly #http: HttpClient
  readonly #referer: string
  #session: Promise<string> | undefined

  constructor(config: IpaStoreConfig) {
    this.#config = config
    this.#http = new HttpClient(config.host, { verify: config.verifyTls })
    // FreeIPA takes no request whose Referer is not its own.
    this.#referer = `${this.#http.base.origin}/ipa`
  }

  /** The command's `result`. Throws IpaError where it was refused. */
  async command(
    method: string,
    args: readonly string[],
    options: Readonly<Record<string, unknown>>,
    request: Request,
  ): Promise<Record<string, unknown>> {
    const call = {
      id: 0,
      method: `${method}/1`,
      params: [args, { ...options, version: API_VERSION }],
    }
    const session = this.#currentSession(request)
    let answer = await this.#post(JSON.stringify(call), await session, request)
    if (answer.status === 401) {
      // Others may have logged in again meanwhile.
      if (this.#session === session) this.#session = undefined
      answer = await this.#post(JSON.stringify(call), await this.#currentSession(request), request)
    }
    return resultOf(method, answer)
  }

  close(): void {
    this.#http.close()
  }

  #post(body: string, cookie: string, request: Request): Promise<HttpAnswer> {
    return this.#send(
      '/ipa/session/json',
      body,
      { 'content-type': 'application/json', cookie },
      request,
    )
  }

  /** One login for all who wait for it, whoever of them goes; a failed one is not kept. */
  #currentSession({ traceHeaders }: Request): Promise<string> {
    if (this.#session !== undefined) return this.#session
    const session = this.#logIn({ traceHeaders, signal: AbortSignal.timeout(STORE_TIMEOUT_MS) })
    this.#session = session
    session.catch(() => {
      if (this.#session === session) this.#session = undefined
    })
    return session
  }

  async #logIn(request: Request): Promise<string> {
    const { user, password } = this.#config
    const form = new URLSearchParams({ user, password }).toString()
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await this.#send('/ipa/session/login_password', form, type, request)
    if (answer.status !== 200) {
      const reason = answer.headers['x-ipa-rejection-reason']
      const why = typeof reason === 'string' ? ` (${reason.slice(0, 100)})` : ''
      throw new Error(`login: status ${answer.status}${why}`)
    }
    const cookies = (answer.headers['set-cookie'] ?? []).map((cookie) => cookie.split(';', 1)[0])
    if (!cookies.some((cookie) => cookie?.startsWith('ipa_session='))) {
      throw new Error('login: no session in the answer')
    }
    return cookies.join('; ')
  }

  /** Every command we send only reads, so that each may be sent again. */
  #send(
    path: string,
    body: string,
    headers: Readonly<Record<string, string>>,
    { signal, traceHeaders }: Request,
  ): Promise<HttpAnswer> {
    return this.#http.send({
      method: 'POST',
      path,
      headers: {
        ...headers,
        referer: this.#referer,
        accept: 'application/json',
        ...traceHeaders,
      },
      body,
      signal,
      repeatable: true,
    })
  }
}

function resultOf(method: string, { status, body }: HttpAnswer): Record<string, unknown> {
  if (status !== 200) throw new Error(`${method}: status ${status}`)
  const answer = parseJson(body, `the answer to ${method}`)
  if (!isObject(answer)) throw new Error(`the answer to ${method} is no object`)
  const { result, error } = answer
  if (isObject(error)) throw new IpaError(method, Number(error['code']), String(error['message']))
  // The command's own result lies in that of the call.
  const inner = isObject(result) ? result['result'] : undefined
  if (isObject(inner)) return inner
  throw new Error(`the answer to ${method} has no result`)
}
