import { nowNs } from './clock.ts'
import type { Span } from './recorder.ts'

/**
 * How late the event loop was, so that a trace can tell a slow client from a gateway that had no time for him. A timer a
 * few times a second costs nothing; what it does not see are delays that are shorter than it would notice.
 */
export interface LoopLag {
  /** Puts `vgw.loop_lag_ms` on a root that was long enough for it to matter. */
  describe(root: Span): void
  close(): void
}

const EVERY_MS = 50
const NOTICED_NS = 10e6
const LONG_NS = 20e6
const MAX_HELD = 512

export function watchLoop(): LoopLag {
  const startNs = new Float64Array(MAX_HELD)
  const endNs = new Float64Array(MAX_HELD)
  let held = 0
  let last = nowNs()
  const timer = setInterval(() => {
    const now = nowNs()
    const expected = last + EVERY_MS * 1e6
    if (now - expected > NOTICED_NS) {
      startNs[held % MAX_HELD] = expected
      endNs[held % MAX_HELD] = now
      held++
    }
    last = now
  }, EVERY_MS).unref()
  const lagNs = (from: number, to: number): number => {
    let sum = 0
    for (let i = held - 1; i >= 0 && i >= held - MAX_HELD; i--) {
      const start = startNs[i % MAX_HELD] ?? 0
      const end = endNs[i % MAX_HELD] ?? 0
      if (end < from) break
      sum += Math.max(0, Math.min(end, to) - Math.max(start, from))
    }
    // What keeps the loop busy right now the timer has not seen yet.
    return sum + Math.max(0, Math.min(to, nowNs()) - Math.max(last + EVERY_MS * 1e6, from))
  }
  return {
    describe(root) {
      if (root.endNs - root.startNs < LONG_NS) return
      const ns = lagNs(root.startNs, root.endNs)
      if (ns > NOTICED_NS) root.set('vgw.loop_lag_ms', ns / 1e6)
    },
    close: () => clearInterval(timer),
  }
}
