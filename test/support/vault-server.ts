import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

/**
 * A server of Vault's HTTP API as far as accounts need it, written from its public documentation: AppRole login, KV v2 data
 * and metadata with versions, check-and-set and soft deletes, namespaces, tokens that end. Paths are decoded before they are
 * routed, as Vault does: %2F is a slash, and `..` is cleaned away.
 */
export interface VaultServer extends AsyncDisposable {
  readonly endpoint: string
  readonly requests: readonly VaultRequest[]
  /** All secrets, by `namespace:mount/path`. */
  readonly secrets: Map<string, Secret>
  /** Logins so far. */
  readonly logins: number
  /** Ends every token that a login gave. */
  revoke(): void
  /** Answers requests instead, while it is defined. */
  intercept: RequestListener | undefined
}

export interface VaultRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

interface Secret {
  /** Undefined where one was deleted. */
  readonly versions: unknown[]
}

export const VAULT = {
  mount: 'kv-v2',
  roleId: '59d6d1ca-47bb-4e7e-a40b-8be3bc5a0ba8',
  secretId: '84896a0c-1347-aa90-a4f6-aca8b7558780',
  rootToken: 'hvs.root-token',
}

type Answer = readonly [status: number, body?: unknown]

export async function startVault(tls?: ServerOptions): Promise<VaultServer> {
  const vault = new Vault()
  const requests: VaultRequest[] = []
  const listener: RequestListener = (request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      requests.push({ method, url, headers, body })
      if (handle.intercept !== undefined) return handle.intercept(request, response)
      const [status, answer] = vault.answer({ method, url, headers, body })
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(answer === undefined ? undefined : JSON.stringify(answer))
    })
  }
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const handle: VaultServer = {
    endpoint: `http${tls === undefined ? '' : 's'}://127.0.0.1:${port}`,
    requests,
    secrets: vault.secrets,
    get logins() {
      return vault.logins
    },
    revoke: () => vault.tokens.clear(),
    intercept: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return handle
}

class Vault {
  readonly secrets = new Map<string, Secret>()
  /** Namespace by token. */
  readonly tokens = new Map<string, string>()
  logins = 0

  answer(request: VaultRequest): Answer {
    const { pathname, searchParams } = new URL(request.url, 'http://vault')
    const namespace = String(request.headers['x-vault-namespace'] ?? '')
    const path = decodeURIComponent(pathname).replace(/^\/v1\//, '')
    const login = /^auth\/([^/]+)\/login$/.exec(path)
    if (login !== null) return this.#logIn(login[1] ?? '', namespace, request)
    const token = String(request.headers['x-vault-token'] ?? '')
    if (token !== VAULT.rootToken && this.tokens.get(token) !== namespace) {
      return [403, { errors: ['permission denied'] }]
    }
    const [, kind, name = ''] = /^kv-v2\/(data|metadata)(?:\/(.*))?$/.exec(path) ?? []
    if (kind === undefined) {
      return [404, { errors: [`no handler for route "${path}". route entry not found.`] }]
    }
    const key = `${namespace}:${VAULT.mount}/${name}`
    if (kind === 'data') return this.#data(request, key)
    if (request.method === 'DELETE') {
      this.secrets.delete(key)
      return [204]
    }
    if (request.method === 'GET' && searchParams.get('list') === 'true') return this.#list(key)
    return [405, { errors: ['unsupported operation'] }]
  }

  #logIn(mount: string, namespace: string, { method, body }: VaultRequest): Answer {
    const { role_id: role, secret_id: secret } = JSON.parse(body) as Record<string, unknown>
    if (mount !== 'approle' || method !== 'POST') return [404, { errors: ['no handler'] }]
    if (role !== VAULT.roleId || secret !== VAULT.secretId) {
      return [400, { errors: ['invalid role or secret ID'] }]
    }
    const token = `hvs.${randomUUID()}`
    this.tokens.set(token, namespace)
    this.logins += 1
    const auth = {
      client_token: token,
      lease_duration: 1200,
      renewable: true,
      token_type: 'service',
    }
    return [200, { request_id: randomUUID(), data: null, auth }]
  }

  #data({ method, body }: VaultRequest, key: string): Answer {
    const secret = this.secrets.get(key)
    const version = secret?.versions.length ?? 0
    if (method === 'GET') {
      if (secret === undefined) return [404, { errors: [] }]
      const data = secret.versions.at(-1)
      const metadata = {
        ...METADATA,
        version,
        deletion_time: data === undefined ? '2024-05-06' : '',
      }
      return [data === undefined ? 404 : 200, { data: { data: data ?? null, metadata } }]
    }
    if (method === 'DELETE') {
      secret?.versions.splice(-1, 1, undefined)
      return [204]
    }
    if (method !== 'POST' && method !== 'PUT') return [405, { errors: ['unsupported operation'] }]
    const { data, options = {} } = JSON.parse(body) as { data: unknown; options?: { cas?: number } }
    if (options.cas !== undefined && options.cas !== version) {
      return [400, { errors: ['check-and-set parameter did not match the current version'] }]
    }
    this.secrets.set(key, { versions: [...(secret?.versions ?? []), data] })
    return [200, { data: { ...METADATA, version: version + 1, deletion_time: '' } }]
  }

  #list(folder: string): Answer {
    const prefix = folder.endsWith('/') ? folder : `${folder}/`
    const below = [...this.secrets.keys()].filter((key) => key.startsWith(prefix))
    const keys = below.map((key) => key.slice(prefix.length).replace(/\/.*/, '/'))
    return keys.length === 0 ? [404, { errors: [] }] : [200, { data: { keys: [...new Set(keys)] } }]
  }
}

const METADATA = {
  created_time: '2024-03-22T02:24:06.945319214Z',
  custom_metadata: null,
  destroyed: false,
}
