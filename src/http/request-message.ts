import { IncomingMessage } from 'node:http'

/** Takes a body as it comes off the socket. */
export interface BodyTaker {
  /** False: enough for now, until `resumeBody` is called. What has come off the socket already follows all the same. */
  take(bytes: Buffer): boolean
  /** All of it has come. */
  end(): void
  /** The rest will not come. */
  fail(cause: unknown): void
}

/* oxlint-disable no-underscore-dangle -- what a stream overrides, and what Node keeps on its messages, begins so */

/**
 * A request whose body can be taken straight from the parser.
 *
 * Node has made a Readable of it: buffers, listeners and four turns of its queue of ticks for what mostly came in one piece with the
 * head, and nearly as much for a request without a body. Here the pieces go to a taker, once there is one. Until then they
 * wait, and when somebody wants a stream after all (`resume`, `on('data')`), Node among them, who throws away what nobody has
 * read, it becomes one and gets what has waited.
 */
export class RequestMessage extends IncomingMessage {
  /** Node's: whether somebody reads the body, so that nothing of it need be thrown away. */
  declare _consuming: boolean
  #taker: BodyTaker | undefined
  #waiting: Buffer[] | undefined
  #waitingBytes = 0
  #isStream = false
  /** Whether all has come and nothing waits. */
  #isEnded = false

  static {
    // An accessor in the class is none to TypeScript, to which the stream's is a property.
    Object.defineProperty(RequestMessage.prototype, 'readableEnded', {
      get(this: RequestMessage): unknown {
        return this.#isEnded || Reflect.get(IncomingMessage.prototype, 'readableEnded', this)
      },
    })
  }

  /** Hands over what has come and what comes from now on. */
  takeBody(taker: BodyTaker): void {
    if (this.#isStream || this.#taker !== undefined) throw new Error('a body is read only once')
    this.#taker = taker
    const waiting = this.#waiting
    this.#waiting = undefined
    let hasRoom = true
    for (const bytes of waiting ?? NOTHING)
      if (this.#taker !== undefined) hasRoom = taker.take(bytes)
    if (this.complete) this.#end()
    else if (waiting !== undefined && hasRoom) this.resumeBody()
  }

  /** The taker has room again. */
  resumeBody(): void {
    super._read(0)
  }

  /** The taker wants no more: the rest is a stream's. */
  leaveBody(): void {
    if (this.#taker === undefined) return
    this.#taker = undefined
    this.#isStream = true
  }

  /** Takes the body away from its taker, who is told that the rest will not come. */
  cutBody(cause: unknown): void {
    const taker = this.#taker
    this.leaveBody()
    taker?.fail(cause)
  }

  get hasTaker(): boolean {
    return this.#taker !== undefined
  }

  /** Called by Node's parser with each piece of the body, and with null at its end. */
  override push(bytes: Buffer | null): boolean {
    if (this.#isStream) return super.push(bytes)
    if (bytes === null) {
      if (this.#waiting === undefined) this.#end()
      return false
    }
    if (this.#taker !== undefined) return this.#taker.take(bytes)
    this.#waiting ??= []
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    return this.#waitingBytes < this.readableHighWaterMark
  }

  /** Called where somebody wants a stream. */
  override _read(size: number): void {
    super._read(size)
    if (this.#isStream || this.#isEnded || this.#taker !== undefined) return
    this.#isStream = true
    for (const bytes of this.#waiting ?? NOTHING) super.push(bytes)
    this.#waiting = undefined
    if (this.complete) super.push(null)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const taker = this.#taker
    this.#taker = undefined
    taker?.fail(error)
    super._destroy(error, callback)
  }

  #end(): void {
    const taker = this.#taker
    this.#taker = undefined
    this.#isEnded = true
    this._consuming = true
    taker?.end()
  }
}

const NOTHING: readonly Buffer[] = []
