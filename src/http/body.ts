import type { Authentication } from '../auth/authenticate.ts'
import { createChunkVerifier } from '../auth/chunk-signature.ts'
import type { Payload, PayloadCheck, PieceSink } from '../backend/payload.ts'
import { computeDigest } from '../io/digest.ts'
import type { HashKind } from '../io/io.ts'
import { isChecksumValue, unsupportedTrailer } from '../s3/checksum.ts'
import {
  declaredDigests,
  digestChecks,
  digestKinds,
  digestsButChecksum,
  type DeclaredDigests,
} from '../s3/digests.ts'
import { S3Error } from '../s3/errors.ts'
import type { WholeBodyUse } from '../s3/operation.ts'
import type { S3Request } from '../s3/request.ts'
import { createChunkedDecoder } from './aws-chunked.ts'
import { BodyReader, type BodyDecoder, type ReaderOptions } from './body-reader.ts'
import { createPlainDecoder, messageTooLong } from './plain-body.ts'
import type { RequestMessage } from './request-message.ts'

export interface PayloadOptions extends ReaderOptions {
  readonly maxObjectSize: number
}

/**
 * The body of a request as object bytes. Nothing is examined before it is asked for, so that a request whose body does
 * not matter is not refused because of it; the first look at `length`, `kinds` or the bytes throws what is wrong.
 */
export function createPayload(
  request: S3Request,
  incoming: RequestMessage,
  authentication: Authentication,
  options: PayloadOptions,
): RequestPayload {
  return new RequestPayload(request, authentication, options, new BodyReader(incoming, options))
}

/** The bytes of a document or the like: a body of at most `maxBytes`, its digests verified. */
export async function readWholeBody(
  request: S3Request,
  payload: RequestPayload,
  use: WholeBodyUse,
): Promise<Buffer> {
  if (use.required && !hasBody(request)) throw new S3Error('MissingRequestBodyError')
  if (use.checksumOf === 'object') payload.leaveChecksum()
  const { md5, checksum } = payload.digests
  const bytes = await payload.readWhole(use.maxBytes)
  if (use.required && bytes.length === 0) throw new S3Error('MissingRequestBodyError')
  for (const check of payload.checks()) {
    const actual = computeDigest(check.kind, bytes)
    if (!actual.equals(check.expected)) throw check.mismatch(actual)
  }
  // The signature covers the body, so that one which is not what was signed is told first.
  if (use.checksumRequired && md5 === undefined && checksum === undefined) {
    const message = 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*'
    throw new S3Error('InvalidRequest', {}, { message })
  }
  return bytes
}

const EMPTY = Buffer.alloc(0)

export class RequestPayload implements Payload {
  readonly #request: S3Request
  readonly #authentication: Authentication
  readonly #options: PayloadOptions
  readonly #reader: BodyReader
  #length: number | undefined
  #digests: DeclaredDigests | undefined
  #trailer: string | undefined

  constructor(
    request: S3Request,
    authentication: Authentication,
    options: PayloadOptions,
    reader: BodyReader,
  ) {
    this.#request = request
    this.#authentication = authentication
    this.#options = options
    this.#reader = reader
  }

  get length(): number {
    return (this.#length ??= objectLength(
      this.#request,
      this.#isChunked,
      this.#options.maxObjectSize,
    ))
  }

  get digests(): DeclaredDigests {
    return (this.#digests ??= declaredDigests(this.#request, this.#authentication.declaredSha256))
  }

  /** From now on x-amz-checksum headers are none of this body's. */
  leaveChecksum(): void {
    this.#digests = digestsButChecksum(this.#request, this.#authentication.declaredSha256)
  }

  get kinds(): readonly HashKind[] {
    return digestKinds(this.digests)
  }

  get clientWaitNs(): number {
    return this.#reader.clientWaitNs
  }

  get receivedBytes(): number {
    return this.#reader.receivedBytes
  }

  checks(): readonly PayloadCheck[] {
    return digestChecks(this.digests, this.#trailer)
  }

  async collect(): Promise<readonly Buffer[]> {
    const pieces: Buffer[] = []
    await this.#read(arraySink(pieces))
    return pieces
  }

  async pump(sink: PieceSink): Promise<void> {
    await this.#read(sink)
  }

  /** All of a body that need not say how long it is. */
  async readWhole(maxBytes: number): Promise<Buffer> {
    if (!hasBody(this.#request)) return EMPTY
    const declared = this.#request.headers['content-length']
    const length = declared === undefined ? undefined : Number(declared)
    if (length !== undefined && length > maxBytes) throw messageTooLong(maxBytes)
    const pieces: Buffer[] = []
    await this.#reader.read(createPlainDecoder(length, maxBytes), arraySink(pieces))
    const [only = EMPTY] = pieces
    return pieces.length <= 1 ? only : Buffer.concat(pieces)
  }

  /** Throws what is wrong with the head. */
  #read(sink: PieceSink): Promise<void> | undefined {
    const decoder = this.#decoder()
    // A chunked body of no bytes still has its frame, and perhaps its trailer.
    return this.length > 0 || this.#isChunked ? this.#reader.read(decoder, sink) : undefined
  }

  get #isChunked(): boolean {
    const { payload } = this.#authentication
    return payload === 'streaming-signed' || payload === 'streaming-unsigned-trailer'
  }

  #decoder(): BodyDecoder {
    const { streaming, hasTrailer } = this.#authentication
    const { checksum } = this.digests
    const isAnnounced = checksum !== undefined && checksum.value === undefined
    // A trailer that cannot come would leave its checksum unverified.
    if (isAnnounced && !hasTrailer) throw unsupportedTrailer()
    if (hasTrailer && !isAnnounced) throw new S3Error('MalformedTrailerError')
    if (!this.#isChunked) return createPlainDecoder(this.length, this.length)
    return createChunkedDecoder({
      decodedLength: this.length,
      verifier: streaming === undefined ? undefined : createChunkVerifier(streaming),
      trailer: hasTrailer ? checksum?.header : undefined,
      onTrailer: (value) => {
        if (checksum !== undefined && isChecksumValue(checksum.algorithm, value))
          this.#trailer = value
        else throw invalidTrailer(checksum?.header ?? '')
      },
    })
  }
}

/**
 * Object bytes as the head declares them. `x-amz-decoded-content-length` counts even where the body is not in chunks, as
 * VersityGW has it; a body without any length is refused before a byte of it is read.
 */
function objectLength({ headers }: S3Request, isChunked: boolean, max: number): number {
  const text =
    headers['x-amz-decoded-content-length'] ?? (isChunked ? undefined : headers['content-length'])
  if (typeof text !== 'string' || !DIGITS.test(text)) throw new S3Error('MissingContentLength')
  const length = Number(text)
  if (length <= max) return length
  throw new S3Error('EntityTooLarge', { ProposedSize: text, MaxSizeAllowed: String(max) })
}

const DIGITS = /^\d{1,20}$/

function hasBody({ headers }: S3Request): boolean {
  const length = headers['content-length']
  return length === undefined ? headers['transfer-encoding'] !== undefined : length !== '0'
}

function arraySink(pieces: Buffer[]): PieceSink {
  return {
    write: (piece) => {
      pieces.push(piece)
      return true
    },
    onDrain: undefined,
  }
}

function invalidTrailer(name: string): S3Error {
  return new S3Error(
    'InvalidRequest',
    {},
    { message: `Value for ${name} trailing header is invalid.` },
  )
}
