/** A time within a trace, of microseconds: `85 µs`, `3.42 ms`, `12.4 s`. */
export function micros(us: number): string {
  if (us < 1) return us === 0 ? '0' : `${us.toFixed(1)} µs`
  if (us < 999.5) return `${us < 9.95 ? us.toFixed(1) : Math.round(us)} µs`
  if (us < 999_500) return `${(us / 1e3).toPrecision(3)} ms`
  return `${(us / 1e6).toPrecision(3)} s`
}

/** Round places for marks on a line from `from` to `to`: at most so many. */
export function marks(from: number, to: number, most: number): readonly number[] {
  const span = to - from
  if (!(span > 0)) return [from]
  const rough = span / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough
  const found: number[] = []
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at)
  return found
}
