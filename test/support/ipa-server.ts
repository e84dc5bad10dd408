import {
  constants,
  createCipheriv,
  createPrivateKey,
  privateDecrypt,
  randomBytes,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A server of FreeIPA's JSON-RPC as far as accounts need it, written from its public documentation: password login with a
 * session cookie, Referer check, user_show, vaultconfig_show, vault_retrieve_internal with a key recovery authority that takes
 * one way of wrapping session keys.
 */
export interface IpaServer extends AsyncDisposable {
  readonly host: string
  readonly calls: readonly IpaCall[]
  readonly logins: number
  /** Ends all sessions. */
  expire(): void
  settings: IpaSettings
  /** Answers requests instead, while it is defined. */
  intercept: RequestListener | undefined
}

export interface IpaCall {
  readonly method: string
  readonly args: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
  readonly traceparent: string | undefined
}

export interface IpaSettings {
  readonly users: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Content of the vault `s3` by user. */
  readonly vaults: Readonly<Record<string, string>>
  readonly padding: 'pkcs1' | 'oaep'
  /** Undefined for a server of before 4.9, which knows triple DES alone. */
  readonly algorithm: 'aes-128-cbc' | 'des-ede3-cbc' | undefined
}

export const IPA = { user: 'gateway', password: 'p&s=w%r+d é', vaultName: 's3' }

class Refusal extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export async function startIpa(
  transport: { readonly key: string; readonly cert: string },
  settings: IpaSettings,
): Promise<IpaServer> {
  const calls: IpaCall[] = []
  const sessions = new Set<string>()
  let logins = 0
  const listener: RequestListener = (request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      if (ipa.intercept !== undefined) return ipa.intercept(request, response)
      const { url, headers } = request
      if (!String(headers.referer).startsWith(`${ipa.host}/ipa`))
        return response.writeHead(400).end()
      if (url === '/ipa/session/login_password') {
        const form = new URLSearchParams(body)
        if (form.get('user') !== IPA.user || form.get('password') !== IPA.password) {
          response.writeHead(401, { 'x-ipa-rejection-reason': 'invalid-password' })
          return response.end('<title>401 Unauthorized</title>')
        }
        logins += 1
        const session = `ipa_session=MagBearerToken=${randomBytes(16).toString('hex')}`
        sessions.add(session)
        response.writeHead(200, { 'set-cookie': `${session};path=/ipa;httponly;secure;` })
        return response.end()
      }
      if (url !== '/ipa/session/json') return response.writeHead(404).end()
      if (!sessions.has(String(headers.cookie))) {
        return response.writeHead(401).end('<title>401 Unauthorized</title>')
      }
      const { id, method, params } = JSON.parse(body) as {
        id: number
        method: string
        params: [string[], Record<string, unknown>]
      }
      const traceparent = headers['traceparent']
      const call = { method, args: params[0], options: params[1] }
      calls.push({
        ...call,
        traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      })
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
      response.end(
        JSON.stringify({ ...outcome(call, ipa.settings, transport), id, version: '4.12.2' }),
      )
    })
  }
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ipa: IpaServer = {
    host: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    get logins() {
      return logins
    },
    expire: () => sessions.clear(),
    settings,
    intercept: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return ipa
}

type Call = Omit<IpaCall, 'traceparent'>
type Transport = { readonly key: string; readonly cert: string }

function outcome(call: Call, settings: IpaSettings, transport: Transport): object {
  const principal = `${IPA.user}@EXAMPLE.ORG`
  try {
    const result = run(call, settings, transport)
    return {
      result: { result, value: call.args[0] ?? null, summary: null },
      error: null,
      principal,
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { code, message } = error
    return { result: null, error: { code, message, name: 'Error', data: {} }, principal }
  }
}

function run({ method, args, options }: Call, settings: IpaSettings, transport: Transport): object {
  const [name = ''] = args
  if (options['version'] !== '2.254') throw new Refusal(901, 'unknown version')
  if (method === 'user_show/1') {
    if (name === '') throw new Refusal(3007, "'login' is required")
    if (name !== name.trim())
      throw new Refusal(3009, "invalid 'login': Leading and trailing spaces are not allowed")
    const user = settings.users[name.toLowerCase()]
    if (user === undefined) throw new Refusal(4001, `${name}: user not found`)
    return { dn: `uid=${name},cn=users`, ...user }
  }
  if (method === 'vaultconfig_show/1') {
    const certificate = { __base64__: new X509Certificate(transport.cert).raw.toString('base64') }
    const { algorithm } = settings
    const algorithms = {
      wrapping_default_algorithm: algorithm,
      wrapping_supported_algorithms: [algorithm],
    }
    return { transport_cert: certificate, ...(algorithm !== undefined && algorithms) }
  }
  if (method !== 'vault_retrieve_internal/1') throw new Refusal(905, `unknown command '${method}'`)
  const content = settings.vaults[String(options['username'])]
  if (name !== IPA.vaultName || content === undefined)
    throw new Refusal(4001, `${name}: vault not found`)
  return wrapped(content, options, settings, createPrivateKey(transport.key))
}

/** What the key recovery authority does. */
function wrapped(
  content: string,
  options: Call['options'],
  settings: IpaSettings,
  key: KeyObject,
): object {
  const algorithm = (options['wrapping_algo'] ?? 'des-ede3-cbc') as string
  if (algorithm !== (settings.algorithm ?? 'des-ede3-cbc')) throw new Refusal(3009, 'wrapping_algo')
  // Bytes come so marked, or as base64 in a plain string.
  const session = options['session_key'] as Readonly<Record<'__base64__', string>> | string
  const text = typeof session === 'string' ? session : session['__base64__']
  const sessionKey = unwrap(Buffer.from(text, 'base64'), settings.padding, key)
  const nonce = randomBytes(algorithm === 'aes-128-cbc' ? 16 : 8)
  const cipher = createCipheriv(algorithm, sessionKey, nonce)
  const data = JSON.stringify({ data: Buffer.from(content).toString('base64') })
  const vaultData = Buffer.concat([cipher.update(data), cipher.final()])
  return {
    vault_data: { __base64__: vaultData.toString('base64') },
    nonce: { __base64__: nonce.toString('base64') },
  }
}

/** OpenSSL of Node.js 20 no longer takes PKCS#1 v1.5 off by itself. */
function unwrap(bytes: Buffer, padding: IpaSettings['padding'], key: KeyObject): Buffer {
  try {
    if (padding === 'oaep') {
      const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
      return privateDecrypt({ key, ...oaep }, bytes)
    }
    const block = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, bytes)
    const end = block.indexOf(0, 2)
    if (block[0] !== 0 || block[1] !== 2 || end < 10) throw new Error('not PKCS#1 v1.5')
    const sessionKey = block.subarray(end + 1)
    if (sessionKey.length !== 16 && sessionKey.length !== 24) throw new Error('not a key')
    return sessionKey
  } catch {
    throw new Refusal(903, 'an internal error has occurred')
  }
}
