import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { answerLength, checkAnswer } from './ldap-answer.ts'

/** A server that goes on sending without being asked anything is cut off. */
const MAX_BYTES_PER_REQUEST = 256 * 1024 * 1024

/**
 * Stands between ldapts and its socket and lets through whole answers only, and only such as the protocol allows (ldapts
 * itself loops forever over lengths that point past the end, and lets an answer grow without bound). Anything else ends the
 * connection.
 */
export class LdapGuard extends Duplex {
  /** As a socket's: ldapts waits for the event `opened` while it is true. */
  connecting = true
  readonly readyState = 'opening'
  readonly #socket: Socket
  #pending: Buffer = Buffer.alloc(0)
  #received = 0

  constructor(socket: Socket, opened: 'connect' | 'secureConnect') {
    super({ allowHalfOpen: false })
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 30_000)
    socket.once(opened, () => {
      this.connecting = false
      this.emit(opened)
    })
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    // ldapts waits for the connection or an error, and for nothing else.
    socket.on('close', () => this.destroy(this.connecting ? new Error('not connected') : undefined))
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#received = 0
    this.#socket.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  #receive(chunk: Buffer): void {
    this.#received += chunk.length
    try {
      if (this.#received > MAX_BYTES_PER_REQUEST) throw new Error('the LDAP server sends too much')
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
      this.#pass()
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #pass(): void {
    for (;;) {
      const length = answerLength(this.#pending)
      if (length === undefined || length > this.#pending.length) return
      const answer = this.#pending.subarray(0, length)
      this.#pending = this.#pending.subarray(length)
      checkAnswer(answer)
      this.push(answer)
    }
  }
}
