import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/**
 * The part of Vault's HTTP API that reading accounts needs, with an account for whoever is asked for, so that the
 * demonstration has an account store that can go down and come back.
 */
export interface DemoAccounts {
  readonly url: string
  readonly token: string
  /** The secret key of any account. */
  readonly secret: string
  isDown: boolean
  close(): void
}

export const STORE_MOUNT = 'demo'
/** A store that is far away. */
const ANSWER_MS = 30

export async function startAccounts(token: string, secret: string): Promise<DemoAccounts> {
  const state = { isDown: false }
  const server = createServer((incoming, outgoing) => {
    if (state.isDown) outgoing.destroy()
    else setTimeout(() => answer(incoming, outgoing, { token, secret }), ANSWER_MS)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    token,
    secret,
    get isDown() {
      return state.isDown
    },
    set isDown(isDown) {
      state.isDown = isDown
      if (isDown) server.closeAllConnections()
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function answer(
  { url = '', headers }: IncomingMessage,
  outgoing: ServerResponse,
  { token, secret }: { readonly token: string; readonly secret: string },
): void {
  const [, access = ''] = new RegExp(`^/v1/${STORE_MOUNT}/data/([\\w-]+)$`).exec(url) ?? []
  const isKnown = access.startsWith('demo-')
  const status = headers['x-vault-token'] !== token ? 403 : isKnown ? 200 : 404
  const account = { access, secret, role: 'admin', userID: 0, groupID: 0, projectID: 0 }
  const body =
    status === 200
      ? { data: { data: { [access]: account }, metadata: { version: 1 } } }
      : { errors: status === 404 ? [] : ['permission denied'] }
  outgoing.writeHead(status, { 'Content-Type': 'application/json' })
  outgoing.end(JSON.stringify(body))
}
