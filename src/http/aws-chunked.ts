import type { ChunkVerifier } from '../auth/chunk-signature.ts'
import { S3Error } from '../s3/errors.ts'
import type { BodyDecoder } from './body-reader.ts'

export interface ChunkedOptions {
  /** `x-amz-decoded-content-length` */
  readonly decodedLength: number
  /** Where chunks carry signatures. */
  readonly verifier: ChunkVerifier | undefined
  /** The trailer's field, announced by `x-amz-trailer`; undefined where no trailer may come. */
  readonly trailer: string | undefined
  /** Called once, with the trailer field's value, after its signature has been verified. */
  readonly onTrailer: (value: string) => void
}

const MAX_HEADER_BYTES = 1024
const MAX_TRAILER_BYTES = 4096
const MIN_CHUNK_BYTES = 8192
const CHUNK_HEADER = /^([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?$/
const TRAILER_SIGNATURE = 'x-amz-trailer-signature'
const CR = 0x0d
const LF = 0x0a

/**
 * The aws-chunked framing: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 *
 * ```
 * <hex size>[;chunk-signature=<64 hex>] CRLF <bytes> CRLF     once or more
 * 0[;chunk-signature=<64 hex>] CRLF
 * [<field>:<value> CRLF [x-amz-trailer-signature:<64 hex> CRLF]] CRLF
 * ```
 *
 * Works on whatever pieces the socket delivers and copies no object byte. A chunk's signature is known only once all of it has
 * been handed on, so nothing may be published before `finish` has returned. Sizes are believed only as far as the
 * declared length goes, and heads and trailer are bounded: a body cannot make us hold more than one of them.
 */
export function createChunkedDecoder(options: ChunkedOptions): BodyDecoder {
  return new ChunkedDecoder(options)
}

class ChunkedDecoder implements BodyDecoder {
  readonly holdsBytes = false
  readonly #options: ChunkedOptions
  #state: 'head' | 'data' | 'data-end' | 'trailer' = 'head'
  /** Of a head or trailer that has come in part. */
  #text = ''
  #chunkNumber = 0
  #chunkSize = 0
  #chunkLeft = 0
  #signature = ''
  #left: number

  constructor(options: ChunkedOptions) {
    this.#options = options
    this.#left = options.decodedLength
  }

  push(bytes: Buffer, emit: (piece: Buffer) => void): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#state === 'data') at = this.#takeData(bytes, at, emit)
      else if (this.#state === 'trailer') at = this.#takeTrailer(bytes, at)
      else at = this.#takeLine(bytes, at)
    }
  }

  finish(): void {
    if (this.#state !== 'trailer') throw incomplete()
    if (this.#left !== 0) throw wrongLength()
    if (this.#options.trailer === undefined) {
      if (this.#text !== '\r\n') throw incomplete()
    } else {
      this.#readTrailer(this.#options.trailer)
    }
  }

  #takeData(bytes: Buffer, at: number, emit: (piece: Buffer) => void): number {
    const end = Math.min(bytes.length, at + this.#chunkLeft)
    const piece = at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end)
    this.#chunkLeft -= piece.length
    this.#left -= piece.length
    this.#options.verifier?.update(piece)
    emit(piece)
    if (this.#chunkLeft === 0) {
      this.#options.verifier?.endChunk(this.#signature)
      this.#state = 'data-end'
    }
    return end
  }

  /** A chunk's head, or the empty line after its data. */
  #takeLine(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(LF, at)
    const end = found < 0 ? bytes.length : found + 1
    if (this.#text.length + end - at > MAX_HEADER_BYTES) throw incomplete()
    this.#text += bytes.toString('latin1', at, end)
    if (found < 0) return end
    const line = this.#text
    this.#text = ''
    if (line.charCodeAt(line.length - 2) !== CR) throw incomplete()
    if (this.#state === 'head') this.#startChunk(line.slice(0, -2))
    else if (line === '\r\n') this.#state = 'head'
    else throw incomplete()
    return end
  }

  #startChunk(head: string): void {
    const match = CHUNK_HEADER.exec(head)
    const { verifier } = this.#options
    if (match === null || (match[2] !== undefined) !== (verifier !== undefined)) throw incomplete()
    const size = Number.parseInt(match[1] ?? '', 16)
    this.#signature = match[2] ?? ''
    if (size === 0) {
      verifier?.endChunk(this.#signature)
      this.#state = 'trailer'
      return
    }
    this.#chunkNumber++
    if (this.#chunkNumber > 1 && this.#chunkSize < MIN_CHUNK_BYTES) throw this.#smallChunk(size)
    if (size > this.#left) throw wrongLength()
    this.#chunkSize = size
    this.#chunkLeft = size
    this.#state = 'data'
  }

  /** Upstream tells the chunk that shows that the one before it was not the last, and so do we. */
  #smallChunk(size: number): S3Error {
    const details = { Chunk: String(this.#chunkNumber), BadChunkSize: String(size) }
    return new S3Error('InvalidChunkSizeError', details)
  }

  #takeTrailer(bytes: Buffer, at: number): number {
    const length = this.#text.length + bytes.length - at
    if (this.#options.trailer === undefined && length > 2) throw incomplete()
    if (length > MAX_TRAILER_BYTES) throw malformedTrailer()
    this.#text += bytes.toString('latin1', at)
    return bytes.length
  }

  /**
   * One field, the announced one, then in a signed body its signature. Some clients end a field with LF CRLF, as an
   * example in Amazon's documentation does: empty lines between fields mean nothing.
   */
  #readTrailer(name: string): void {
    if (this.#text === '\r\n') throw malformedTrailer()
    if (!this.#text.endsWith('\r\n\r\n')) throw incomplete()
    const lines = this.#text
      .split('\n')
      .map((line) => line.replace(/\r$/, ''))
      .filter((line) => line !== '')
    const { verifier } = this.#options
    if (lines.length !== (verifier === undefined ? 1 : 2)) throw malformedTrailer()
    const value = valueOf(lines[0] ?? '', name)
    if (verifier !== undefined) {
      verifier.endTrailer(`${name}:${value}\n`, valueOf(lines[1] ?? '', TRAILER_SIGNATURE))
    }
    this.#options.onTrailer(value)
  }
}

function valueOf(line: string, name: string): string {
  const colon = line.indexOf(':')
  if (colon < 0 || line.slice(0, colon).toLowerCase() !== name) throw malformedTrailer()
  return line.slice(colon + 1).trim()
}

function incomplete(): S3Error {
  return new S3Error('IncompleteBody')
}

/** Another number of object bytes than declared. */
export function wrongLength(): S3Error {
  const message =
    'You did not provide the number of bytes specified by the Content-Length HTTP header'
  return new S3Error('IncompleteBody', {}, { message })
}

function malformedTrailer(): S3Error {
  return new S3Error('MalformedTrailerError')
}
