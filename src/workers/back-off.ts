const FIRST_MS = 100
const LONGEST_MS = 30_000

/** A worker that lived for so long was well: what ends it then is counted from the beginning. */
const WELL_MS = 60_000

/** How long to wait before a worker is started in place of one that ended: twice as long each time, within bounds. */
export class BackOff {
  #ended = 0

  /** `livedMs`: from its start to its end. */
  next(livedMs: number): number {
    if (livedMs >= WELL_MS) this.#ended = 0
    return Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#ended++)
  }
}
