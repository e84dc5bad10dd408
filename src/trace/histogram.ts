/**
 * How often values fell between bounds, and their sum: a few array accesses a value. What is measured mostly falls into the
 * first buckets, so they are searched from below.
 */
export class Histogram {
  /** Upper bounds, inclusive, ascending. */
  readonly bounds: readonly number[]
  /** One a bound, and one for what lies above all of them. Not cumulative. */
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  /** Gives back the bucket's index. */
  add(value: number): number {
    const { bounds, counts } = this
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++
    counts[bucket] = (counts[bucket] ?? 0) + 1
    this.sum += value
    return bucket
  }
}
