import { nowNs } from './clock.ts'
import type { Span } from './recorder.ts'

/**
 * How late the event loop was, so that a trace can tell a slow client from a gateway that had no time for him. A timer a
 * few times a second costs nothing; what it does not see are delays that are shorter than it would notice.
 */
export interface LoopLag {
  /**
   * Puts `vgw.loop_lag_ms` on a root that was long enough for it to matter, and `vgw.loop_starved_ms`: how much of that
   * the process spent without a processor, because others had them or because it was stopped.
   */
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
  const starvedShare = new Float64Array(MAX_HELD)
  let held = 0
  let last = nowNs()
  let lastCpuNs = cpuNs()
  const timer = setInterval(() => {
    const now = nowNs()
    const expected = last + EVERY_MS * 1e6
    const cpu = cpuNs()
    if (now - expected > NOTICED_NS) {
      startNs[held % MAX_HELD] = expected
      endNs[held % MAX_HELD] = now
      starvedShare[held % MAX_HELD] = starved(cpu - lastCpuNs, now - expected)
      held++
    }
    last = now
    lastCpuNs = cpu
  }, EVERY_MS).unref()
  const lag = (from: number, to: number): { readonly ns: number; readonly starvedNs: number } => {
    let ns = 0
    let starvedNs = 0
    for (let i = held - 1; i >= 0 && i >= held - MAX_HELD; i--) {
      const start = startNs[i % MAX_HELD] ?? 0
      const end = endNs[i % MAX_HELD] ?? 0
      if (end < from) break
      const overlap = Math.max(0, Math.min(end, to) - Math.max(start, from))
      ns += overlap
      starvedNs += overlap * (starvedShare[i % MAX_HELD] ?? 0)
    }
    // What keeps the loop busy right now the timer has not seen yet.
    const expected = last + EVERY_MS * 1e6
    const now = nowNs()
    const unseen = Math.max(0, Math.min(to, now) - Math.max(expected, from))
    if (unseen === 0) return { ns, starvedNs }
    const share = starved(cpuNs() - lastCpuNs, now - expected)
    return { ns: ns + unseen, starvedNs: starvedNs + unseen * share }
  }
  return {
    describe(root) {
      if (root.endNs - root.startNs < LONG_NS) return
      const { ns, starvedNs } = lag(root.startNs, root.endNs)
      if (ns > NOTICED_NS) root.set('vgw.loop_lag_ms', ns / 1e6)
      if (starvedNs > NOTICED_NS) root.set('vgw.loop_starved_ms', starvedNs / 1e6)
    },
    close: () => clearInterval(timer),
  }
}

/** Of all threads of the process. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1e3
}

/** The share of its being late that the loop cannot have been at work. */
function starved(cpu: number, late: number): number {
  return Math.max(0, (late - cpu) / late)
}
