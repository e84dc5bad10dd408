import type { PayloadCheck, PieceSink } from '../backend/payload.ts'
import type { HashKind } from '../io/io.ts'
import { digestChecks, digestKinds, type DeclaredDigests } from '../s3/digests.ts'
import { S3Error } from '../s3/errors.ts'
import type { FormFile, LengthRange } from '../s3/post-form.ts'
import type { S3Request } from '../s3/request.ts'
import type { BodyReader } from './body-reader.ts'
import { FormReader, parameter } from './form-reader.ts'

/** A file up to here is in memory before its form is looked at, and its length known. */
const LOOKAHEAD_BYTES = 256 * 1024
/** RFC 2046, 5.1.1. */
const MAX_BOUNDARY = 70

/** Reads a form up to its file, and enough of that to know a small one whole. */
export async function openForm(
  request: S3Request,
  reader: BodyReader,
  maxObjectSize: number,
): Promise<{ readonly fields: ReadonlyMap<string, string>; readonly file: FormFilePayload }> {
  const decoder = new FormReader(boundaryOf(request))
  const sink = new FileSink(maxObjectSize)
  const reading = reader.read(decoder, sink)
  // Told to whoever reads the file; until then nobody may be listening.
  reading.catch(() => {})
  await Promise.race([reading, sink.full])
  if (!decoder.hasFile) throw missingFile()
  return { fields: decoder.fields, file: new FormFilePayload(sink, reader, reading, decoder) }
}

function boundaryOf({ headers }: S3Request): string {
  const type = headers['content-type'] ?? ''
  const parameters = /^\s*multipart\/form-data\s*((?:;.*)?)$/i.exec(type)?.[1]
  const boundary = parameters === undefined ? '' : parameter(parameters, 'boundary')
  if (boundary === '') {
    const Condition = 'Bucket POST must be of the enclosure-type multipart/form-data'
    throw new S3Error('PreconditionFailed', { Condition })
  }
  if (boundary === undefined || boundary.length > MAX_BOUNDARY)
    throw new S3Error('MalformedPOSTRequest')
  return boundary
}

function missingFile(): S3Error {
  const message = 'POST requires exactly one file upload per request.'
  const details = { ArgumentName: 'file', ArgumentValue: '0' }
  return new S3Error('InvalidArgument', details, { message })
}

/** Holds what comes of a file until somebody takes it, and counts it. */
class FileSink implements PieceSink {
  onDrain: (() => void) | undefined
  bytes = 0
  pieces: Buffer[] = []
  range: LengthRange
  readonly full: Promise<void>
  #isFull: () => void = () => {}
  #to: PieceSink | undefined

  constructor(max: number) {
    this.range = { min: 0, max }
    this.full = new Promise((resolve) => {
      this.#isFull = resolve
    })
  }

  write(piece: Buffer): boolean {
    this.bytes += piece.length
    this.checkMax()
    if (this.#to !== undefined) return this.#to.write(piece)
    this.pieces.push(piece)
    if (this.bytes <= LOOKAHEAD_BYTES) return true
    this.#isFull()
    return false
  }

  forward(to: PieceSink): void {
    this.#to = to
    to.onDrain = () => this.onDrain?.()
    let hasRoom = true
    for (const piece of this.pieces) hasRoom = to.write(piece)
    this.pieces = []
    if (hasRoom) this.onDrain?.()
  }

  checkMax(): void {
    const { max } = this.range
    if (this.bytes <= max) return
    const size = { ProposedSize: String(this.bytes) }
    throw new S3Error('EntityTooLarge', max > 0 ? { ...size, MaxSizeAllowed: String(max) } : size)
  }

  /** Once all of it has come. */
  checkMin(): void {
    const { min } = this.range
    if (this.bytes >= min) return
    const details = { ProposedSize: String(this.bytes), MinSizeAllowed: String(min) }
    throw new S3Error('EntityTooSmall', details)
  }
}

const NO_DIGESTS: DeclaredDigests = { md5: undefined, sha256: undefined, checksum: undefined }

/** The file of a form as object bytes. How many there are is known where it is small, and otherwise when it has ended. */
export class FormFilePayload implements FormFile {
  readonly length: number | undefined
  readonly name: string | undefined
  readonly #sink: FileSink
  readonly #reader: BodyReader
  readonly #reading: Promise<void>
  #digests = NO_DIGESTS

  constructor(sink: FileSink, reader: BodyReader, reading: Promise<void>, form: FormReader) {
    this.#sink = sink
    this.#reader = reader
    this.#reading = reading
    this.length = form.isComplete ? sink.bytes : undefined
    this.name = form.filename
  }

  get kinds(): readonly HashKind[] {
    return digestKinds(this.#digests)
  }

  get clientWaitNs(): number {
    return this.#reader.clientWaitNs
  }

  expect({ min, max }: LengthRange, checksum: DeclaredDigests['checksum']): void {
    const { range } = this.#sink
    this.#sink.range = { min: Math.max(min, range.min), max: Math.min(max, range.max) }
    this.#digests = { ...NO_DIGESTS, checksum }
    this.#sink.checkMax()
    if (this.length !== undefined) this.#sink.checkMin()
  }

  checks(): readonly PayloadCheck[] {
    return digestChecks(this.#digests, undefined)
  }

  async collect(): Promise<readonly Buffer[]> {
    await this.#reading
    return this.#sink.pieces
  }

  async pump(sink: PieceSink): Promise<void> {
    this.#sink.forward(sink)
    await this.#reading
    this.#sink.checkMin()
  }
}
