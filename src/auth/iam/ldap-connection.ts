import { Client, ResultCodeError } from 'ldapts'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { LdapGuard } from './ldap-guard.ts'
import { StoreTimeout } from './remote-calls.ts'
import type { LdapStoreConfig } from './store-config.ts'

/** For TCP, TLS and the bind together: half of a call's time, so that another attempt is possible. */
const CONNECT_TIMEOUT_MS = 5000

type Settings = Pick<LdapStoreConfig, 'url' | 'bindDn' | 'bindPassword' | 'verifyTls'>

interface Connection {
  /** Resolves when it is bound. */
  readonly client: Promise<Client>
  destroy(): void
}

/**
 * One connection to the directory, made and bound when it is needed and shared by all calls, which LDAP lets overlap.
 *
 * It is given up when it breaks, when the server sends nonsense or does not answer a call in time; the next call makes a new
 * one. A client never connects a second time by itself: it would not be bound then, and would go on as an anonymous one.
 */
export class LdapConnection {
  readonly #settings: Settings
  #current: Connection | undefined
  #closed = false

  /** Throws where the URL is none. */
  constructor(settings: Settings) {
    this.#settings = settings
    // Reads the URL as every later client will.
    void new Client({ url: settings.url })
  }

  /**
   * Work that is `repeatable`, since it changes nothing, is done once more on a new connection where the one that stood
   * turns out to have been closed.
   */
  async use<T>(
    work: (client: Client) => Promise<T>,
    signal: AbortSignal,
    repeatable: boolean,
  ): Promise<T> {
    const stood = this.#current !== undefined
    try {
      return await this.#attempt(work, signal)
    } catch (error) {
      const answered = error instanceof ResultCodeError
      if (answered || signal.aborted || !stood || !repeatable) throw error
      return this.#attempt(work, signal)
    }
  }

  close(): void {
    this.#closed = true
    this.#current?.destroy()
  }

  async #attempt<T>(work: (client: Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    const connection = this.#connection()
    // A server that does not answer in time gets no more questions on this connection.
    const giveUp = (): void => {
      if (signal.reason instanceof StoreTimeout) this.#drop(connection)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await work(await connection.client)
    } catch (error) {
      if (!(error instanceof ResultCodeError)) this.#drop(connection)
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** The standing connection, or a new one. */
  #connection(): Connection {
    if (this.#closed) throw new Error('the store is closed')
    if (this.#current !== undefined) return this.#current
    const connection = open(this.#settings, () => this.#drop(connection))
    this.#current = connection
    return connection
  }

  #drop(connection: Connection): void {
    if (this.#current === connection) this.#current = undefined
    connection.destroy()
  }
}

function open(settings: Settings, onClose: () => void): Connection {
  const { url, bindDn, bindPassword, verifyTls } = settings
  let socket: Socket | undefined
  const guard = (dial: () => Socket, opened: 'connect' | 'secureConnect'): Socket => {
    if (socket !== undefined) throw new Error('the connection is gone')
    socket = dial()
    socket.once('close', onClose)
    // The guard has what ldapts uses of a socket.
    return new LdapGuard(socket, opened) as unknown as Socket
  }
  const client = new Client({
    url,
    createConnection: ((port: number, host: string) =>
      guard(() => connectTcp(port, host), 'connect')) as typeof connectTcp,
    createSecureConnection: ((port: number, host: string) =>
      guard(
        () => connectTls({ port, host, rejectUnauthorized: verifyTls, minVersion: 'TLSv1.2' }),
        'secureConnect',
      )) as typeof connectTls,
  })
  const timer = setTimeout(() => socket?.destroy(), CONNECT_TIMEOUT_MS)
  const bound = client.bind(bindDn, bindPassword).then(
    () => client,
    (error: unknown) => {
      socket?.destroy()
      // Not to be taken for the answer to what is asked after it.
      throw new Error(`bind: ${error instanceof Error ? error.message : String(error)}`)
    },
  )
  bound.finally(() => clearTimeout(timer)).catch(() => undefined)
  return { client: bound, destroy: () => socket?.destroy() }
}
