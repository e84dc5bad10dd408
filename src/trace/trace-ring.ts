import { unixTime } from './clock.ts'
import { spanIdText, wordAt } from './ids.ts'
import type { Span } from './recorder.ts'

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
  readonly root: Span
  readonly status: number
  readonly spans: number
  readonly dropped: number
  readonly isLate: boolean
}

const ID_WORDS = 6

/** Traces in one block of memory that is written round and round: the newest takes the place of the oldest. */
export class TraceRing {
  readonly #block: Uint8Array
  readonly #maxTraces: number
  /** Columns of the index; a trace's row is its number modulo `#maxTraces`. */
  readonly #offset: Uint32Array
  readonly #length: Uint32Array
  readonly #sequence: Float64Array
  readonly #startMs: Float64Array
  readonly #durationMs: Float64Array
  readonly #status: Uint16Array
  readonly #spans: Uint32Array
  readonly #dropped: Uint32Array
  readonly #ids: Int32Array
  readonly #isLate: Uint8Array
  readonly #operation: Uint16Array
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
    this.#offset = new Uint32Array(maxTraces)
    this.#length = new Uint32Array(maxTraces)
    this.#sequence = new Float64Array(maxTraces)
    this.#startMs = new Float64Array(maxTraces)
    this.#durationMs = new Float64Array(maxTraces)
    this.#status = new Uint16Array(maxTraces)
    this.#spans = new Uint32Array(maxTraces)
    this.#dropped = new Uint32Array(maxTraces)
    this.#ids = new Int32Array(maxTraces * ID_WORDS)
    this.#isLate = new Uint8Array(maxTraces)
    this.#operation = new Uint16Array(maxTraces)
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
  add(bytes: Uint8Array, { root, ...trace }: NewTrace): void {
    this.#makeRoom(bytes.length)
    const row = this.#next % this.#maxTraces
    this.#block.set(bytes, this.#head)
    this.#offset[row] = this.#head
    this.#length[row] = bytes.length
    this.#head += bytes.length
    this.#bytes += bytes.length
    const { traceId, anchor } = root.recorder
    const { seconds, nanoseconds } = unixTime(root.startNs, anchor)
    this.#sequence[row] = trace.sequence
    this.#startMs[row] = seconds * 1000 + nanoseconds / 1e6
    this.#durationMs[row] = (root.endNs - root.startNs) / 1e6
    this.#status[row] = trace.status
    this.#spans[row] = trace.spans
    this.#dropped[row] = trace.dropped
    this.#isLate[row] = trace.isLate ? 1 : 0
    this.#operation[row] = this.#nameOf(root.name)
    const at = row * ID_WORDS
    for (let i = 0; i < 4; i++) this.#ids[at + i] = wordAt(traceId, i * 8)
    this.#ids[at + 4] = root.idHigh
    this.#ids[at + 5] = root.idLow
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
      if ((this.#sequence[middle % this.#maxTraces] ?? 0) < sequence) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #at(number: number): RecentTrace | undefined {
    if (number < this.#first || number >= this.#next) return undefined
    const row = number % this.#maxTraces
    const offset = this.#offset[row] ?? 0
    const startMs = this.#startMs[row] ?? 0
    const durationMs = this.#durationMs[row] ?? 0
    const id = (word: number): number => this.#ids[row * ID_WORDS + word] ?? 0
    return {
      sequence: this.#sequence[row] ?? 0,
      startMs,
      endMs: startMs + durationMs,
      durationMs,
      traceId: spanIdText(id(0), id(1)) + spanIdText(id(2), id(3)),
      requestId: spanIdText(id(4), id(5)),
      operation: this.#names[this.#operation[row] ?? 0] ?? '',
      status: this.#status[row] ?? 0,
      spans: this.#spans[row] ?? 0,
      dropped: this.#dropped[row] ?? 0,
      isLate: this.#isLate[row] === 1,
      bytes: this.#block.subarray(offset, offset + (this.#length[row] ?? 0)),
    }
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
    return this.#offset[this.#first % this.#maxTraces] ?? 0
  }

  #dropOldest(): void {
    this.#bytes -= this.#length[this.#first % this.#maxTraces] ?? 0
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
