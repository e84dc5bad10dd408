import { spanIdText } from './ids.ts'
import { readIdWord, type TraceHead } from './trace-batch.ts'

/** What is known of a kept trace without decoding it, and its bytes. */
export interface RecentTrace {
  /** Rises with each trace that was taken. */
  readonly sequence: number
  /** Unix time, milliseconds. */
  readonly startMs: number
  readonly endMs: number
  readonly durationMs: number
  readonly traceId: string
  /** 16 hex digits: the id of the root span, which is the request id in small letters. */
  readonly requestId: string
  /** The root's name: `S3.GetObject`. */
  readonly operation: string
  readonly status: number
  /** Spans it had, and of these those for which there was no room. */
  readonly spans: number
  readonly dropped: number
  /** A span that came after its trace. */
  readonly isLate: boolean
  /** A view of the ring. */
  readonly bytes: Uint8Array
}

export interface NewTrace {
  readonly sequence: number
  readonly operation: string
  readonly head: TraceHead
  /** Where the head stands, for its ids. */
  readonly view: DataView
  readonly at: number
}

const ID_WORDS = 6

/** Traces in one block of memory that is written round and round: the newest takes the place of the oldest. */
export class TraceRing {
  readonly #block: Uint8Array
  readonly #maxTraces: number
  /** A trace's row is its number modulo `#maxTraces`. */
  readonly #columns: Columns
  readonly #names: string[] = []
  readonly #nameIndex = new Map<string, number>()
  /** Numbers of the oldest and of the one after the newest. */
  #first = 0
  #next = 0
  #head = 0
  #bytes = 0

  constructor(maxBytes: number, maxTraces: number) {
    // The system hands out the pages as they are written: a ring that is not used takes no memory.
    this.#block = new Uint8Array(maxBytes)
    this.#maxTraces = maxTraces
    this.#columns = newColumns(maxTraces)
  }

  /** The most bytes one trace may take. */
  get largest(): number {
    return this.#block.length >> 1
  }

  get count(): number {
    return this.#next - this.#first
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Copies `bytes`, which are at most `largest`. */
  add(bytes: Uint8Array, { sequence, operation, head, view, at }: NewTrace): void {
    this.#makeRoom(bytes.length)
    const row = this.#next % this.#maxTraces
    this.#block.set(bytes, this.#head)
    this.#columns.offset[row] = this.#head
    this.#columns.length[row] = bytes.length
    this.#head += bytes.length
    this.#bytes += bytes.length
    const columns = this.#columns
    columns.sequence[row] = sequence
    columns.startMs[row] = head.startMs
    columns.durationMs[row] = head.durationMs
    columns.status[row] = head.status
    columns.spans[row] = head.spans
    columns.dropped[row] = head.dropped
    columns.isLate[row] = head.isLate ? 1 : 0
    columns.operation[row] = this.#nameOf(operation)
    for (let i = 0; i < ID_WORDS; i++) columns.ids[row * ID_WORDS + i] = readIdWord(view, at, i)
    this.#next++
  }

  newest(): RecentTrace | undefined {
    return this.#at(this.#next - 1)
  }

  /** The one that was added before this one, if it is still there. */
  before({ sequence }: RecentTrace): RecentTrace | undefined {
    return this.#at(this.#numberBelow(sequence))
  }

  /** Sequences rise: the number of the last whose sequence is less. */
  #numberBelow(sequence: number): number {
    let low = this.#first
    let high = this.#next
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if ((this.#columns.sequence[middle % this.#maxTraces] ?? 0) < sequence) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #at(number: number): RecentTrace | undefined {
    if (number < this.#first || number >= this.#next) return undefined
    return new Row(this.#block, this.#columns, this.#names, number % this.#maxTraces)
  }

  /** Drops what lies where `length` bytes are going to be written. */
  #makeRoom(length: number): void {
    if (this.count === this.#maxTraces) this.#dropOldest()
    if (this.#head + length > this.#block.length) {
      while (this.count > 0 && this.#oldestOffset >= this.#head) this.#dropOldest()
      this.#head = 0
    }
    const end = this.#head + length
    while (this.count > 0 && this.#oldestOffset >= this.#head && this.#oldestOffset < end)
      this.#dropOldest()
  }

  get #oldestOffset(): number {
    return this.#columns.offset[this.#first % this.#maxTraces] ?? 0
  }

  #dropOldest(): void {
    this.#bytes -= this.#columns.length[this.#first % this.#maxTraces] ?? 0
    this.#first++
    if (this.count === 0) this.#head = 0
  }

  #nameOf(name: string): number {
    const known = this.#nameIndex.get(name)
    if (known !== undefined) return known
    // Operations are a closed set; the bound is for whoever changes that.
    if (this.#names.length >= 1000) return 0
    this.#names.push(name)
    this.#nameIndex.set(name, this.#names.length - 1)
    return this.#names.length - 1
  }
}

type Columns = ReturnType<typeof newColumns>

function newColumns(rows: number) {
  return {
    offset: new Uint32Array(rows),
    length: new Uint32Array(rows),
    sequence: new Float64Array(rows),
    startMs: new Float64Array(rows),
    durationMs: new Float64Array(rows),
    status: new Uint16Array(rows),
    spans: new Uint32Array(rows),
    dropped: new Uint32Array(rows),
    ids: new Int32Array(rows * ID_WORDS),
    isLate: new Uint8Array(rows),
    operation: new Uint16Array(rows),
  }
}

/** Reads what it is asked for: of the many rows that are looked at, most are only passed by. */
class Row implements RecentTrace {
  readonly #block: Uint8Array
  readonly #columns: Columns
  readonly #names: readonly string[]
  readonly #row: number

  constructor(block: Uint8Array, columns: Columns, names: readonly string[], row: number) {
    this.#block = block
    this.#columns = columns
    this.#names = names
    this.#row = row
  }

  get sequence(): number {
    return this.#columns.sequence[this.#row] ?? 0
  }

  get startMs(): number {
    return this.#columns.startMs[this.#row] ?? 0
  }

  get endMs(): number {
    return this.startMs + this.durationMs
  }

  get durationMs(): number {
    return this.#columns.durationMs[this.#row] ?? 0
  }

  get traceId(): string {
    return this.#idText(0) + this.#idText(2)
  }

  get requestId(): string {
    return this.#idText(4)
  }

  get operation(): string {
    return this.#names[this.#columns.operation[this.#row] ?? 0] ?? ''
  }

  get status(): number {
    return this.#columns.status[this.#row] ?? 0
  }

  get spans(): number {
    return this.#columns.spans[this.#row] ?? 0
  }

  get dropped(): number {
    return this.#columns.dropped[this.#row] ?? 0
  }

  get isLate(): boolean {
    return this.#columns.isLate[this.#row] === 1
  }

  get bytes(): Uint8Array {
    const offset = this.#columns.offset[this.#row] ?? 0
    return this.#block.subarray(offset, offset + (this.#columns.length[this.#row] ?? 0))
  }

  #idText(word: number): string {
    const at = this.#row * ID_WORDS + word
    return spanIdText(this.#columns.ids[at] ?? 0, this.#columns.ids[at + 1] ?? 0)
  }
}
