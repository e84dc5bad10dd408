import { newTraceId, wordAt } from './ids.ts'
import type { Recorder } from './recorder.ts'
import type { Outcome, TracingConfig } from './tracing-config.ts'

export type SamplingRules = Pick<TracingConfig, 'sampleRate' | 'parentBased' | 'trustParent'>

/** Why a trace was kept; also the root's attribute `vgw.sampling.reason`. */
export type SamplingReason = 'head'

/**
 * Keeps or drops the trace of one request, once, when its response has ended: the only place where this is decided. The
 * caller's sampled flag counts where it is trusted, else the ratio decides.
 */
export function decide(
  recorder: Recorder,
  outcome: Outcome,
  rules: SamplingRules,
): SamplingReason | undefined {
  recorder.headSampled = isHeadSampled(recorder, outcome.authenticated, rules)
  const reason = recorder.headSampled ? 'head' : undefined
  recorder.decision = reason === undefined ? 'dropped' : 'kept'
  if (reason !== undefined) recorder.root.set('vgw.sampling.reason', reason)
  return reason
}

function isHeadSampled(
  { parent, traceId }: Recorder,
  authenticated: boolean,
  rules: SamplingRules,
): boolean {
  if (parent === undefined) return isBelowRatio(traceId, rules.sampleRate)
  const trusted =
    rules.trustParent === 'always' || (rules.trustParent === 'authenticated' && authenticated)
  // Who may not force sampling by the flag may not force it by choosing a trace id either.
  if (!trusted) return isBelowRatio(newTraceId(), rules.sampleRate)
  return rules.parentBased ? parent.sampled : isBelowRatio(traceId, rules.sampleRate)
}

/** The arithmetic of OpenTelemetry's TraceIdRatioBased sampler, so that all services of a trace choose alike. */
function isBelowRatio(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true
  const folded = wordAt(traceId, 0) ^ wordAt(traceId, 8) ^ wordAt(traceId, 16) ^ wordAt(traceId, 24)
  return folded >>> 0 < Math.floor(ratio * 0xffff_ffff)
}
