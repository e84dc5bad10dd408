import type { StepTimes } from '../../io/io.ts'
import type { Span } from '../../trace/recorder.ts'

/** So many operations of a kind below one span have spans of their own; those that follow share one. */
const OWN_SPANS = 16
const SLOWEST = 5

/**
 * Keeps traces of requests that do the same small thing a thousand times short: beyond the first few, one span stands for
 * all, with their number, their total and longest time, and the slowest as events.
 */
export class Folds {
  readonly #byParent = new WeakMap<Span, Map<string, { seen: number; fold: Fold }>>()

  /** Where to count the next `count` operations `name` below `parent`; undefined while they have spans of their own. */
  next(parent: Span, name: string, count = 1): Fold | undefined {
    if (!parent.recording) return undefined
    let folds = this.#byParent.get(parent)
    if (folds === undefined) this.#byParent.set(parent, (folds = new Map()))
    let counted = folds.get(name)
    if (counted === undefined)
      folds.set(name, (counted = { seen: 0, fold: new Fold(parent, name) }))
    counted.seen += count
    return counted.seen > OWN_SPANS ? counted.fold : undefined
  }
}

export class Fold {
  readonly #parent: Span
  readonly #name: string
  #span: Span | undefined
  #count = 0
  #totalNs = 0
  /** Of the first that began. */
  #queueNs = 0
  #slowest: { readonly index: number; readonly ns: number; readonly endNs: number }[] = []

  constructor(parent: Span, name: string) {
    this.#parent = parent
    this.#name = name
  }

  /** Counts an operation from its step's times. */
  add({ startNs, endNs, queueNs }: Pick<StepTimes, 'startNs' | 'endNs' | 'queueNs'>): void {
    if (endNs === 0) return
    const span = (this.#span ??= this.#parent.child(this.#name, undefined, startNs))
    const ns = endNs - startNs
    this.#slowest.push({ index: this.#count++, ns, endNs })
    if (this.#slowest.length > SLOWEST)
      this.#slowest = this.#slowest.sort((a, b) => b.ns - a.ns).slice(0, SLOWEST)
    this.#totalNs += ns
    // Side by side, one that ends later may have begun earlier.
    if (startNs <= span.startNs) {
      span.startNs = startNs
      this.#queueNs = queueNs
    }
    span.endNs = Math.max(span.endNs, endNs)
    span.attributes = {
      'posix.duration_ms': (span.endNs - span.startNs) / 1e6,
      'posix.queue_ms': this.#queueNs / 1e6,
      'posix.count': this.#count,
      'posix.total_ms': this.#totalNs / 1e6,
      'posix.max_ms': Math.max(...this.#slowest.map((slow) => slow.ns)) / 1e6,
    }
    span.events = this.#slowest.map((slow) => ({
      name: 'slow_entry',
      atNs: slow.endNs,
      attributes: { 'posix.index': slow.index, 'posix.duration_ms': slow.ns / 1e6 },
    }))
  }
}
