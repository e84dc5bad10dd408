import type { Recorder } from './recorder.ts'

export interface ActivityReport {
  /** Unix time of the beginning of the first slot, milliseconds. */
  readonly startMs: number
  readonly slotMs: number
  readonly slots: number
  readonly operations: readonly OperationActivity[]
}

/** One number a slot, but for `latency`. */
export interface OperationActivity {
  /** The root span's name: `S3.GetObject`. */
  readonly operation: string
  readonly requests: readonly number[]
  /** Answers of 400 to 499, and of 500 and above (or none at all). */
  readonly clientErrors: readonly number[]
  readonly serverErrors: readonly number[]
  /** Sums; the longest is that of a single request. */
  readonly durationMs: readonly number[]
  readonly longestMs: readonly number[]
  /** Time in the queue of the I/O pool, of all jobs together. */
  readonly queueMs: readonly number[]
  /** Object bytes. */
  readonly bytesIn: readonly number[]
  readonly bytesOut: readonly number[]
  /** Of each slot: pairs of an index into LATENCY_BOUNDS_MS and how many requests were that fast. */
  readonly latency: readonly (readonly number[])[]
}

export const SLOT_MS = 10_000
const SLOTS = 360

/** Four bins an octave from 0.05 ms on: a percentile read from them is at most 19 % off. */
const BINS_PER_OCTAVE = 4
const LOWEST_MS = 0.05
const BINS = 88

/** Upper bounds, in milliseconds; what took longer than the last is counted there too. */
export const LATENCY_BOUNDS_MS: readonly number[] = Array.from(
  { length: BINS },
  (_, bin) => LOWEST_MS * 2 ** ((bin + 1) / BINS_PER_OCTAVE),
)

const COLUMNS = 8
const REQUESTS = 0
const CLIENT_ERRORS = 1
const SERVER_ERRORS = 2
const DURATION = 3
const LONGEST = 4
const QUEUE = 5
const BYTES_IN = 6
const BYTES_OUT = 7

/** Adds up what is in `operations`: the last `count` slots, oldest first; the last one is under way. */
export function readActivity(
  operations: ReadonlyMap<string, OperationSlots>,
  count: number,
  nowMs = Date.now(),
): ActivityReport {
  const last = Math.floor(nowMs / SLOT_MS)
  const first = last - Math.min(count, SLOTS) + 1
  return {
    startMs: first * SLOT_MS,
    slotMs: SLOT_MS,
    slots: last - first + 1,
    operations: [...operations]
      .map(([operation, slots]) => ({ operation, ...slots.read(first, last) }))
      .filter(({ requests }) => requests.some((number) => number > 0)),
  }
}

const SUMS = SLOTS * COLUMNS
/** Of one operation: some 150 KB, of which the system hands out what is written. */
const SHARED_BYTES = (SLOTS + SUMS) * 8 + SLOTS * BINS * 4

/**
 * The hour of one operation, in memory that threads share: one writes, others may read. A reader may see a request that is
 * counted but whose bytes are not: for sums of ten seconds that is near enough.
 */
export class OperationSlots {
  readonly memory: SharedArrayBuffer
  /** Which slot of time stands at each place. */
  readonly #slot: Float64Array
  readonly #sums: Float64Array
  readonly #latency: Uint32Array
  /** The column of the object's bytes; a copy's move neither in nor out. */
  readonly #bytesColumn: number | undefined

  constructor(operation: string, memory = new SharedArrayBuffer(SHARED_BYTES)) {
    this.memory = memory
    this.#slot = new Float64Array(memory, 0, SLOTS)
    this.#sums = new Float64Array(memory, SLOTS * 8, SUMS)
    this.#latency = new Uint32Array(memory, (SLOTS + SUMS) * 8, SLOTS * BINS)
    this.#bytesColumn = BYTES_COLUMN.get(operation)
  }

  add(slot: number, recorder: Recorder, status: number): void {
    const place = slot % SLOTS
    if (this.#slot[place] !== slot) this.#clear(place, slot)
    const { root } = recorder
    const ms = (root.endNs - root.startNs) / 1e6
    const at = place * COLUMNS
    const before = this.#sums[at + REQUESTS] ?? 0
    this.#sums[at + REQUESTS] = before + 1
    if (status >= 500 || status === 0) this.#add(at + SERVER_ERRORS, 1)
    else if (status >= 400) this.#add(at + CLIENT_ERRORS, 1)
    this.#add(at + DURATION, ms)
    if (ms > (this.#sums[at + LONGEST] ?? 0)) this.#sums[at + LONGEST] = ms
    if (before < ALL_LOOKED_INTO) this.#add(at + QUEUE, queueMs(recorder))
    else if (before % ONE_OF === 0) this.#add(at + QUEUE, queueMs(recorder) * ONE_OF)
    if (this.#bytesColumn !== undefined) {
      const bytes = root.read('s3.content_length')
      if (typeof bytes === 'number') this.#add(at + this.#bytesColumn, bytes)
    }
    const bin = place * BINS + binOf(ms)
    this.#latency[bin] = (this.#latency[bin] ?? 0) + 1
  }

  read(first: number, last: number): Omit<OperationActivity, 'operation'> {
    const places: (number | undefined)[] = []
    for (let slot = first; slot <= last; slot++)
      places.push(this.#slot[slot % SLOTS] === slot ? slot % SLOTS : undefined)
    const column = (index: number): number[] =>
      places.map((place) => (place === undefined ? 0 : (this.#sums[place * COLUMNS + index] ?? 0)))
    return {
      requests: column(REQUESTS),
      clientErrors: column(CLIENT_ERRORS),
      serverErrors: column(SERVER_ERRORS),
      durationMs: column(DURATION),
      longestMs: column(LONGEST),
      queueMs: column(QUEUE),
      bytesIn: column(BYTES_IN),
      bytesOut: column(BYTES_OUT),
      latency: places.map((place) => (place === undefined ? [] : this.#latencyOf(place))),
    }
  }

  #latencyOf(place: number): number[] {
    const pairs: number[] = []
    for (let bin = 0; bin < BINS; bin++) {
      const count = this.#latency[place * BINS + bin] ?? 0
      if (count > 0) pairs.push(bin, count)
    }
    return pairs
  }

  #add(index: number, value: number): void {
    this.#sums[index] = (this.#sums[index] ?? 0) + value
  }

  #clear(place: number, slot: number): void {
    this.#sums.fill(0, place * COLUMNS, (place + 1) * COLUMNS)
    this.#latency.fill(0, place * BINS, (place + 1) * BINS)
    this.#slot[place] = slot
  }
}

/** The spans of many requests are not all looked into: the queue time of one stands for that of so many. */
const ALL_LOOKED_INTO = 256
const ONE_OF = 8

const BYTES_COLUMN: ReadonlyMap<string, number> = new Map([
  ['S3.PutObject', BYTES_IN],
  ['S3.PostObject', BYTES_IN],
  ['S3.UploadPart', BYTES_IN],
  ['S3.GetObject', BYTES_OUT],
])

function binOf(ms: number): number {
  const bin = Math.ceil(Math.log2(ms / LOWEST_MS) * BINS_PER_OCTAVE) - 1
  return bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin
}

/** Spans of one job have one queue time between them; they stand one behind the other. */
function queueMs({ spans }: Recorder): number {
  let sum = 0
  let last: unknown
  for (const span of spans) {
    const queued = span.read('posix.queue_ms')
    if (queued === undefined || queued === last) continue
    last = queued
    if (typeof queued === 'number') sum += queued
  }
  return sum
}
