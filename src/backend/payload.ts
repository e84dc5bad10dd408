import type { HashKind } from '../io/io.ts'

/** Takes the pieces of a body. `write` answers false when it has enough for now; `onDrain` is called when it has room again. */
export interface PieceSink {
  write(piece: Buffer): boolean
  /** Told of bytes that nobody but the sink has anything of any more: the pieces that came last are parts of them. */
  release?(bytes: Buffer): void
  onDrain: (() => void) | undefined
}

/** A digest the client declared. Nothing is published unless each of them holds. */
export interface PayloadCheck {
  readonly kind: HashKind
  readonly expected: Uint8Array
  /** The error a client expects when `actual` differs. */
  mismatch(actual: Buffer): Error
}

/**
 * A request's body as object bytes: transfer framing, aws-chunked framing, chunk signatures and trailers are gone.
 *
 * Read it once, by `collect` or by `pump`. Both reject (IncompleteBody, SignatureDoesNotMatch, …) unless exactly
 * `length` bytes came and every signature held; then nothing may be published.
 */
export interface Payload extends AnyPayload {
  readonly length: number
}

/** The same where only the end of the body tells how long it is, unless that has come already: a browser's form. */
export interface AnyPayload {
  /** Object bytes, as declared; undefined where they are not, and `pump` is the way to read it. */
  readonly length: number | undefined
  /** Digests to compute for `checks`, known before the first byte. */
  readonly kinds: readonly HashKind[]
  /** All of a small body. */
  collect(): Promise<readonly Buffer[]>
  /** A body of any size, piece by piece; pauses the socket while the sink is full. */
  pump(sink: PieceSink): Promise<void>
  /** What the client declared, in headers or trailer: complete once the body has been read. */
  checks(): readonly PayloadCheck[]
  /** ns spent waiting for the client's socket so far. */
  readonly clientWaitNs: number
}
