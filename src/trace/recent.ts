import { unixTime } from './clock.ts'
import { wordAt } from './ids.ts'
import { OtlpEncoder } from './otlp.ts'
import { ProtobufWriter } from './protobuf.ts'
import type { Recorder, Span } from './recorder.ts'
import type { Sink, SinkStats } from './sink.ts'
import { HEAD_BYTES, RING, writeHead, writeIdWord } from './trace-batch.ts'

export interface RecentOptions {
  /** Of one trace, as it is encoded: spans beyond it are left out. */
  readonly maxTraceBytes: number
  /** Takes a block of so many traces (`trace-batch.ts`), which is its own from then on. */
  readonly take: (batch: Uint8Array<ArrayBuffer>, traces: number) => void
  /** No more will come. */
  readonly end: () => Promise<void>
}

/**
 * The last traces that were kept, on their way to the thread that holds them for the viewer and for `explain`.
 *
 * They go as the bytes that OTLP would send: objects that live for seconds would be moved about by the garbage collector
 * with every request, bytes cost a few microseconds and nothing more. Here it is decided what a trace is: what failed and what
 * was slow for its operation have rings of their own, so that a flood of plain requests does not wash them away. Of more
 * requests than anybody can look at a part is taken, which makes them reach further back and cost next to nothing.
 */
export class RecentTraces implements Sink {
  readonly exporter = 'viewer'
  readonly #options: RecentOptions
  readonly #writer = new ProtobufWriter(new Uint8Array(BLOCK_BYTES))
  readonly #encoder = new OtlpEncoder(this.#writer)
  readonly #bars = new Map<string, SlowBar>()
  /** By ring. What was slow has none: it is few by itself. */
  readonly #rations: readonly (Ration | undefined)[] = [new Ration(), undefined, new Ration()]
  /** Traces in the block. */
  #waiting = 0
  #thinned = 0
  #spans = 0
  #dropped = 0

  constructor(options: RecentOptions) {
    this.#options = options
  }

  add(recorder: Recorder): void {
    const { root } = recorder
    const status = statusOf(root)
    const ring = this.#ringOf(recorder, status)
    if (this.#rations[ring]?.take(root.endNs) === false) {
      this.#thinned++
      return
    }
    this.#encode(recorder, recorder.spans, { ring, status, isLate: false })
  }

  addLate(span: Span): void {
    this.#encode(span.recorder, [span], { ring: RING.plain, status: 0, isLate: true })
  }

  /** Hands over what has not filled a block yet. */
  handOver(): void {
    const writer = this.#writer
    if (writer.at === 0) return
    this.#options.take(writer.block.slice(0, writer.at), this.#waiting)
    this.#waiting = 0
    // One large trace must not hold its memory for good.
    if (writer.block.length > LARGEST_KEPT) writer.restart(new Uint8Array(BLOCK_BYTES), 0)
    else writer.at = 0
  }

  /** Traces that were kept but not taken, because there were so many. */
  get thinned(): number {
    return this.#thinned
  }

  async flush(): Promise<void> {}

  close(): Promise<void> {
    return this.#options.end()
  }

  stats(): SinkStats {
    return { exported: this.#spans, queued: 0, dropped: this.#dropped, failed: 0, rejected: 0 }
  }

  #ringOf({ root, headSampled }: Recorder, status: number): number {
    const reason = headSampled === true ? 'head' : root.read('vgw.sampling.reason')
    if (reason === 'error' || status >= 400 || status === 0) return RING.failed
    if (reason === 'slow' || this.#barOf(root.name).isOver(root)) return RING.slow
    return RING.plain
  }

  #barOf(operation: string): SlowBar {
    const known = this.#bars.get(operation)
    if (known !== undefined) return known
    const bar = new SlowBar()
    // Operations are a closed set; the bound is for whoever changes that.
    if (this.#bars.size < 1000) this.#bars.set(operation, bar)
    return bar
  }

  #encode(recorder: Recorder, spans: readonly Span[], { ring, status, isLate }: Place): void {
    const writer = this.#writer
    writer.reserve(HEAD_BYTES)
    const head = writer.at
    const start = head + HEAD_BYTES
    const limit = start + this.#options.maxTraceBytes
    writer.at = start
    let written = 0
    for (const span of spans) {
      const before = writer.at
      this.#encoder.span(span, recorder, DEEPEST)
      if (writer.at > limit) {
        writer.at = before
        break
      }
      written++
    }
    const dropped = spans.length - written
    this.#spans += written
    this.#dropped += dropped
    const { root, anchor } = recorder
    const { seconds, nanoseconds } = unixTime(root.startNs, anchor)
    writeHead(writer.view, head, {
      ring,
      isLate,
      status,
      spans: spans.length,
      dropped,
      startMs: seconds * 1000 + nanoseconds / 1e6,
      durationMs: (root.endNs - root.startNs) / 1e6,
      length: writer.at - start,
    })
    writeIds(writer.view, head, recorder)
    this.#waiting++
    if (writer.at >= BLOCK_BYTES - USUAL_BYTES) this.handOver()
  }
}

const BLOCK_BYTES = 64 * 1024
/** Room that a trace mostly finds enough: a block is handed over before it would have to grow. */
const USUAL_BYTES = 8 * 1024
const LARGEST_KEPT = 1024 * 1024

function writeIds(view: DataView, at: number, { traceId, root }: Recorder): void {
  for (let i = 0; i < 4; i++) writeIdWord(view, at, i, wordAt(traceId, i * 8))
  writeIdWord(view, at, 4, root.idHigh)
  writeIdWord(view, at, 5, root.idLow)
}

interface Place {
  readonly ring: number
  readonly status: number
  readonly isLate: boolean
}

/** Whatever was recorded is kept. */
const DEEPEST = 9

function statusOf(root: Span): number {
  const status = root.read('http.response.status_code') ?? root.read('http.status_code')
  return typeof status === 'number' ? status : 0
}

const AT_ONCE = 5000
const PER_SECOND = 250
/** Of a flood: so many a second came, and so many are taken. */
const FLOOD = 2500
const PER_SECOND_OF_FLOOD = 100

/**
 * So many traces a second, and some more at once. Encoding one now and then takes some 25 µs, so this is what the viewer
 * costs under load; and a ring holds half a minute of it and more, where thousands a second would leave a second or two.
 */
class Ration {
  #left = AT_ONCE
  #atNs = 0
  #perSecond = PER_SECOND
  #came = 0
  #countedFromNs = 0

  take(nowNs: number): boolean {
    this.#came++
    if (nowNs - this.#countedFromNs >= 1e9) this.#adjust(nowNs)
    const left = Math.min(AT_ONCE, this.#left + ((nowNs - this.#atNs) * this.#perSecond) / 1e9)
    this.#atNs = Math.max(nowNs, this.#atNs)
    this.#left = left < 1 ? left : left - 1
    return left >= 1
  }

  #adjust(nowNs: number): void {
    this.#perSecond = this.#came > FLOOD ? PER_SECOND_OF_FLOOD : PER_SECOND
    this.#came = 0
    this.#countedFromNs = nowNs
  }
}

const HALF_LIFE_NS = 10e9
const STEP = 1.5
const LOWEST_NS = 50_000

/**
 * What a request of one operation has to take to be among its slow ones: raised by each that is, halved every ten seconds
 * without one. So about one in six seconds gets over it, whatever the load.
 */
class SlowBar {
  #ns = LOWEST_NS
  #atNs = 0

  isOver({ startNs, endNs }: Span): boolean {
    const faded = this.#ns * 2 ** ((this.#atNs - endNs) / HALF_LIFE_NS)
    if (endNs - startNs < faded) return false
    this.#ns = Math.max(LOWEST_NS, faded) * STEP
    this.#atNs = endNs
    return true
  }
}
