import { S3Error } from '../s3/errors.ts'
import type { BodyDecoder } from './body-reader.ts'
import { messageTooLong } from './plain-body.ts'

/** All that may come before the file: fields, and what frames them. */
const MAX_FIELDS_BYTES = 1024 * 1024
const MAX_FIELDS = 1000
const MAX_PART_HEAD_BYTES = 8192

const CRLF = '\r\n'
const HEAD_END = Buffer.from('\r\n\r\n')
const EMPTY = Buffer.alloc(0)
const CR = 13
const LF = 10
const DASH = 45

/**
 * Reads multipart/form-data (RFC 7578) as it comes: fields into memory, then the bytes of the part called `file` to where
 * bodies go, without a copy. What follows the file is not looked at.
 *
 * No library's parser: those hand out streams, tell a field that is too long or a body without its end by a flag or not at
 * all, and take a copy and several events a piece. Here the whole form is one pass of `Buffer.indexOf` inside the
 * reader that every other body goes through, and whatever is not framed as it should be is MalformedPOSTRequest.
 */
export class FormReader implements BodyDecoder {
  /** By name, in lower case; each character is a byte. */
  readonly fields = new Map<string, string>()
  readonly holdsBytes = true
  /** Whether all of the file has come. */
  isComplete = false
  /** What the client calls the file; each character is a byte. */
  filename: string | undefined
  readonly #delimiter: Buffer
  #state: 'preamble' | 'head' | 'field' | 'file' | 'after' = 'preamble'
  /** What has come and is not understood yet. A delimiter begins with the end of a line, and the first one need not have one. */
  #rest: Buffer = Buffer.from(CRLF)
  /** What `#rest` lies in, from `#start` on, unless it is a piece as it came. */
  #storage: Buffer = EMPTY
  #start = 0
  /** Up to where the rest holds no delimiter. */
  #searched = 0
  #name: string | undefined
  #received = 0

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`${CRLF}--${boundary}`, 'latin1')
  }

  /** Whether the fields are over and the file has begun. */
  get hasFile(): boolean {
    return this.#state === 'file' || this.isComplete
  }

  push(bytes: Buffer, emit: (piece: Buffer) => void): void {
    if (this.#state === 'after') return
    if (this.#state !== 'file') this.#received += bytes.length
    this.#append(bytes)
    while (this.#step(emit));
    if (this.#name !== FILE && this.#received > MAX_FIELDS_BYTES)
      throw messageTooLong(MAX_FIELDS_BYTES)
  }

  finish(): void {
    if (this.#state !== 'after') throw malformed()
  }

  /**
   * However small the pieces: room is made in doubling steps and nothing is searched twice, since a million pieces of one byte
   * would otherwise cost minutes. Of the file's bytes only a few are ever left over.
   */
  #append(bytes: Buffer): void {
    const used = this.#rest.length
    if (used === 0) {
      this.#rest = bytes
      return
    }
    if (this.#state === 'file') {
      this.#rest = Buffer.concat([this.#rest, bytes])
      return
    }
    const end = used + bytes.length
    if (this.#rest.buffer !== this.#storage.buffer || this.#start + end > this.#storage.length) {
      this.#storage = Buffer.allocUnsafeSlow(Math.max(4096, end * 2))
      this.#rest.copy(this.#storage)
      this.#start = 0
    }
    bytes.copy(this.#storage, this.#start + used)
    this.#rest = this.#storage.subarray(this.#start, this.#start + end)
  }

  #consume(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes)
    this.#start += bytes
    this.#searched = 0
  }

  /** Takes one thing off the rest; false where there is not enough of it yet. */
  #step(emit: (piece: Buffer) => void): boolean {
    switch (this.#state) {
      case 'preamble':
        return this.#skipPreamble()
      case 'head':
        return this.#readHead()
      case 'field':
        return this.#readField()
      case 'file':
        return this.#readFile(emit)
      case 'after':
        break
    }
    this.#rest = EMPTY
    return false
  }

  #skipPreamble(): boolean {
    const end = this.#findDelimiter()
    if (end === undefined) return false
    if (end.isLast) throw malformed()
    this.#enter(end)
    return true
  }

  /** The head of a part, which begins with the line end behind the delimiter. */
  #readHead(): boolean {
    const end = this.#rest.subarray(0, MAX_PART_HEAD_BYTES * 2).indexOf(HEAD_END)
    if (end > MAX_PART_HEAD_BYTES || (end < 0 && this.#rest.length > MAX_PART_HEAD_BYTES))
      throw malformed()
    if (end < 0) return false
    const { name, filename } = readPartHead(this.#rest.toString('latin1', 0, end))
    this.#name = name
    this.filename = filename
    this.#consume(end + HEAD_END.length)
    // Pieces of the file are not to be written over.
    if (this.#name === FILE) this.#storage = EMPTY
    this.#state = this.#name === FILE ? 'file' : 'field'
    return true
  }

  #readField(): boolean {
    const end = this.#findDelimiter()
    if (end === undefined) return false
    if (this.#name !== undefined) {
      if (this.fields.has(this.#name) || this.fields.size >= MAX_FIELDS) throw malformed()
      this.fields.set(this.#name, this.#rest.toString('latin1', 0, end.at))
    }
    this.#enter(end)
    return true
  }

  #readFile(emit: (piece: Buffer) => void): boolean {
    const data = this.#rest
    const end = this.#findDelimiter()
    if (end !== undefined) {
      if (end.at > 0) emit(data.subarray(0, end.at))
      this.#state = 'after'
      this.isComplete = true
      this.#rest = EMPTY
      return false
    }
    const kept = this.#openEnd(data)
    if (kept > 0) emit(data.subarray(0, kept))
    // A copy, so that a few bytes do not keep the socket's whole piece.
    this.#rest = kept === data.length ? EMPTY : Buffer.from(data.subarray(kept))
    return false
  }

  #enter({ isLast, next }: Delimiter): void {
    // No file: it ends before it has begun.
    this.#state = isLast ? 'after' : 'head'
    this.#consume(next)
  }

  /** The first delimiter that is whole: a line `--boundary`, or `--boundary--`. */
  #findDelimiter(): Delimiter | undefined {
    const data = this.#rest
    for (let from = this.#searched; ;) {
      const at = data.indexOf(this.#delimiter, from)
      if (at < 0) {
        if (this.#state !== 'file')
          this.#searched = Math.max(from, data.length - this.#delimiter.length)
        return undefined
      }
      const end = endOfDelimiter(data, at, at + this.#delimiter.length)
      if (end === 'more') return undefined
      if (end !== 'none') return end
      from = at + 1
    }
  }

  /** From where on the data may turn out to be a delimiter. */
  #openEnd(data: Buffer): number {
    const longest = this.#delimiter.length + MAX_PADDING + CRLF.length
    let at = Math.max(0, data.length - longest)
    for (; (at = data.indexOf(CR, at)) >= 0; at++) {
      const tail = data.subarray(at, at + this.#delimiter.length)
      if (!tail.equals(this.#delimiter.subarray(0, tail.length))) continue
      if (tail.length < this.#delimiter.length) return at
      if (endOfDelimiter(data, at, at + tail.length) === 'more') return at
    }
    return data.length
  }
}

interface Delimiter {
  readonly at: number
  readonly isLast: boolean
  /** Where what follows begins: the line end, which belongs to the head of the next part. */
  readonly next: number
}

const FILE = 'file'
const MAX_PADDING = 64

/** Blanks may stand between a boundary and the end of its line (RFC 2046, 5.1.1). */
function endOfDelimiter(data: Buffer, at: number, from: number): Delimiter | 'none' | 'more' {
  if (data[from] === DASH) {
    if (from + 1 === data.length) return 'more'
    return data[from + 1] === DASH ? { at, isLast: true, next: from + 2 } : 'none'
  }
  let end = from
  while (end < data.length && end - from < MAX_PADDING && isBlank(data[end])) end++
  if (end + 1 >= data.length) return end === data.length || data[end] === CR ? 'more' : 'none'
  return data[end] === CR && data[end + 1] === LF ? { at, isLast: false, next: end } : 'none'
}

function isBlank(byte: number | undefined): boolean {
  return byte === 32 || byte === 9
}

interface PartHead {
  /** In lower case; undefined for a part that is no field: it is passed over. */
  readonly name: string | undefined
  readonly filename: string | undefined
}

const NO_FIELD: PartHead = { name: undefined, filename: undefined }

function readPartHead(head: string): PartHead {
  let disposition: string | undefined
  for (const line of head.split(CRLF).slice(1)) {
    const colon = line.indexOf(':')
    if (colon <= 0) throw malformed()
    if (line.slice(0, colon).trim().toLowerCase() === 'content-disposition')
      disposition = line.slice(colon + 1)
  }
  const parameters = /^\s*form-data\s*((?:;.*)?)$/i.exec(disposition ?? '')?.[1]
  if (parameters === undefined) return NO_FIELD
  // As AWS has it, a part is what its name says: clients give fields file names as well (Python's requests does).
  const name = parameter(parameters, 'name')?.toLowerCase()
  return name === '' ? NO_FIELD : { name, filename: parameter(parameters, 'filename') }
}

/** A parameter of a header's value: a token, or a quoted string. */
export function parameter(parameters: string, wanted: string): string | undefined {
  for (const [, name = '', quoted, token] of parameters.matchAll(PARAMETER))
    if (name.toLowerCase() === wanted) return quoted?.replaceAll(/\\(["\\])/g, '$1') ?? token
  return undefined
}

const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g

function malformed(): S3Error {
  return new S3Error('MalformedPOSTRequest')
}
