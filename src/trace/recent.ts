import { OtlpEncoder } from './otlp.ts'
import { readSpans, type StoredSpan } from './otlp-reader.ts'
import { ProtobufWriter } from './protobuf.ts'
import type { Recorder, Span } from './recorder.ts'
import { TraceRing, type RecentTrace } from './trace-ring.ts'
import type { Sink, SinkStats } from './sink.ts'

export interface RecentOptions {
  /** Of all traces together, as they are encoded. */
  readonly maxBytes: number
  /** Of each of the three kinds below. */
  readonly maxTraces: number
}

/**
 * The last traces that were kept, in memory, for the viewer and for `explain`.
 *
 * They are kept as the bytes that OTLP would send: objects that live for seconds would be moved about by the garbage
 * collector with every request, bytes cost a microsecond and nothing more. What failed and what was slow have rings of their
 * own, so that a flood of plain requests does not wash them away: their newest are there also after minutes of load. Of more
 * requests than anybody can look at a part is taken, which makes them reach further back and cost next to nothing.
 */
export class RecentTraces implements Sink {
  readonly exporter = 'viewer'
  readonly #failed: TraceRing
  readonly #slow: TraceRing
  readonly #plain: TraceRing
  readonly #rings: readonly TraceRing[]
  readonly #writer = new ProtobufWriter(new Uint8Array(64 * 1024))
  readonly #encoder = new OtlpEncoder(this.#writer)
  readonly #bars = new Map<string, SlowBar>()
  readonly #ration = new Ration()
  #thinned = 0
  #sequence = 0
  #spans = 0
  #dropped = 0

  constructor({ maxBytes, maxTraces }: RecentOptions) {
    this.#failed = new TraceRing(Math.floor(maxBytes / 4), maxTraces)
    this.#slow = new TraceRing(Math.floor(maxBytes / 4), maxTraces)
    this.#plain = new TraceRing(Math.floor(maxBytes / 2), maxTraces)
    this.#rings = [this.#failed, this.#slow, this.#plain]
  }

  add(recorder: Recorder): void {
    const { root } = recorder
    const status = statusOf(root)
    const ring = this.#ringOf(root, status)
    if (ring !== this.#slow && !this.#ration.take(root.endNs)) {
      this.#thinned++
      return
    }
    this.#encode(recorder, recorder.spans, { ring, status, isLate: false })
  }

  addLate(span: Span): void {
    this.#encode(span.recorder, [span], { ring: this.#plain, status: 0, isLate: true })
  }

  /** From the newest to the oldest, until `visit` says false. Entries are valid until the next trace is added. */
  visit(visit: (trace: RecentTrace) => boolean): void {
    const cursors = this.#rings.map((ring) => ring.newest())
    for (;;) {
      let at = -1
      for (const [i, trace] of cursors.entries())
        if (trace !== undefined && trace.sequence > (cursors[at]?.sequence ?? -1)) at = i
      const newest = cursors[at]
      if (newest === undefined) return
      if (!newest.isLate && !visit(newest)) return
      cursors[at] = this.#rings[at]?.before(newest)
    }
  }

  /** All spans of one request, with those that ended after it; in the order in which they began. */
  spansOf(trace: RecentTrace): StoredSpan[] {
    const spans = readSpans(trace.bytes)
    for (let late = this.#plain.newest(); late !== undefined; late = this.#plain.before(late)) {
      if (late.sequence < trace.sequence) break
      if (late.isLate && late.requestId === trace.requestId && late.traceId === trace.traceId)
        spans.push(...readSpans(late.bytes))
    }
    return spans
  }

  /** How many traces have been taken so far. */
  get sequence(): number {
    return this.#sequence
  }

  /** Bytes and traces held, and how many were not taken because there were so many. */
  get size(): { readonly traces: number; readonly bytes: number; readonly thinned: number } {
    let traces = 0
    let bytes = 0
    for (const ring of this.#rings) {
      traces += ring.count
      bytes += ring.bytes
    }
    return { traces, bytes, thinned: this.#thinned }
  }

  async flush(): Promise<void> {}
  async close(): Promise<void> {}

  stats(): SinkStats {
    return { exported: this.#spans, queued: 0, dropped: this.#dropped, failed: 0, rejected: 0 }
  }

  #ringOf(root: Span, status: number): TraceRing {
    const reason = root.read('vgw.sampling.reason')
    if (reason === 'error' || status >= 400 || status === 0) return this.#failed
    if (reason === 'slow' || this.#barOf(root.name).isOver(root)) return this.#slow
    return this.#plain
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
    writer.at = 0
    let written = 0
    const limit = ring.largest
    for (const span of spans) {
      const before = writer.at
      this.#encoder.span(span, recorder, DEEPEST)
      if (writer.at > limit) {
        writer.at = before
        break
      }
      written++
    }
    this.#spans += written
    this.#dropped += spans.length - written
    const { root } = recorder
    ring.add(writer.block.subarray(0, writer.at), {
      sequence: ++this.#sequence,
      root,
      status,
      spans: spans.length,
      dropped: spans.length - written,
      isLate,
    })
  }
}

interface Place {
  readonly ring: TraceRing
  readonly status: number
  readonly isLate: boolean
}

/** Whatever was recorded is kept. */
const DEEPEST = 9

function statusOf(root: Span): number {
  const status = root.read('http.response.status_code') ?? root.read('http.status_code')
  return typeof status === 'number' ? status : 0
}

const PER_SECOND = 1000
const AT_ONCE = 5000

/** So many traces a second, and some more at once. */
class Ration {
  #left = AT_ONCE
  #atNs = 0

  take(nowNs: number): boolean {
    const left = Math.min(AT_ONCE, this.#left + ((nowNs - this.#atNs) * PER_SECOND) / 1e9)
    this.#atNs = Math.max(nowNs, this.#atNs)
    this.#left = left < 1 ? left : left - 1
    return left >= 1
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
