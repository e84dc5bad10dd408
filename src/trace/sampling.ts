import { newTraceId, wordAt } from './ids.ts'
import type { Recorder } from './recorder.ts'
import { levelOf } from './span-kinds.ts'
import type { KeepErrors, Outcome, TracingConfig } from './tracing-config.ts'

export type SamplingRules = Pick<
  TracingConfig,
  | 'sampleRate'
  | 'parentBased'
  | 'trustParent'
  | 'keepErrors'
  | 'slowThresholdMs'
  | 'slowBytesPerSecond'
  | 'depth'
>

/** Why a trace was kept; also the root's attribute `vgw.sampling.reason`. */
export type SamplingReason = 'head' | 'error' | 'slow'

/**
 * Keeps or drops the trace of one request, once, when its response has ended: the only place where this is decided. The
 * caller's sampled flag counts where it is trusted, else the ratio decides; what neither wanted is kept all the same when
 * the request failed or was slow. One request alone is looked at, never its trace id: many requests of one client share it.
 *
 * A trace that the head sampled says `head` even where it failed, so that what is counted by that reason stands for
 * 1 / ratio requests. It goes down to full depth like every other that failed or was slow.
 */
export function decide(
  recorder: Recorder,
  outcome: Outcome,
  rules: SamplingRules,
): SamplingReason | undefined {
  if (outcome.authenticated) recorder.isAuthenticated = true
  recorder.headSampled ??= isHeadSampled(recorder, rules)
  const remarkable = hasFailed(recorder, outcome, rules.keepErrors)
    ? 'error'
    : isSlow(recorder, rules)
      ? 'slow'
      : undefined
  const reason = recorder.headSampled ? 'head' : remarkable
  recorder.decide(reason === undefined ? 'dropped' : 'kept')
  if (reason === undefined) return undefined
  const level = levelOf(rules.depth)
  recorder.level = remarkable === undefined ? level : Math.max(level, FULL_DEPTH)
  recorder.root.set('vgw.sampling.reason', reason)
  if (recorder.lostSpans > 0) recorder.root.set('vgw.sampling.dropped_spans', recorder.lostSpans)
  return reason
}

/** All that is recorded. System calls are only where `--otel-depth syscall` has the addon note them. */
const FULL_DEPTH = levelOf('io')

/** Whether any trace can be kept that the head has not sampled: then each has to be recorded. */
export function hasTailRule(rules: Pick<SamplingRules, 'keepErrors' | 'slowThresholdMs'>): boolean {
  return rules.keepErrors !== 'none' || rules.slowThresholdMs > 0
}

/** The head's decision before anything is recorded, or undefined where it waits for the caller's signature. */
export function decideEarly(recorder: Recorder, rules: SamplingRules): boolean | undefined {
  const waits = recorder.parent !== undefined && rules.trustParent === 'authenticated'
  return waits ? undefined : isHeadSampled(recorder, rules)
}

/**
 * A failed precondition is what a client asked to be told, and a HEAD's 404 how it asks whether there is a key. An answer
 * that broke off has failed whatever status went ahead of it.
 */
function hasFailed({ root }: Recorder, { status, isHead }: Outcome, keep: KeepErrors): boolean {
  if (keep === 'none') return false
  if (status >= 500 || root.failure !== undefined) return true
  return keep === 'all' && status >= 400 && status !== 412 && !(isHead && status === 404)
}

/** Large is not slow: what a request moved gives it time beyond the threshold. */
function isSlow(
  { root }: Recorder,
  { slowThresholdMs, slowBytesPerSecond }: SamplingRules,
): boolean {
  const tookMs = (root.endNs - root.startNs) / 1e6
  if (slowThresholdMs === 0 || tookMs <= slowThresholdMs) return false
  const bytes = root.read('s3.content_length')
  if (typeof bytes !== 'number' || slowBytesPerSecond === 0) return true
  return tookMs > slowThresholdMs + (bytes / slowBytesPerSecond) * 1000
}

/** As far as is known by now: it changes at most once, when a caller turns out to be trusted. */
export function isHeadSampled(recorder: Recorder, rules: SamplingRules): boolean {
  const { parent, traceId } = recorder
  const { sampleRate, trustParent, parentBased } = rules
  if (parent === undefined) return isBelowRatio(traceId, sampleRate)
  const isTrusted =
    trustParent === 'always' || (trustParent === 'authenticated' && recorder.isAuthenticated)
  // Who may not force sampling by the flag may not force it by choosing a trace id either.
  if (!isTrusted) return (recorder.untrustedSampled ??= isBelowRatio(newTraceId(), sampleRate))
  if (parentBased && parent.sampled !== undefined) return parent.sampled
  return isBelowRatio(traceId, sampleRate)
}

/** The arithmetic of OpenTelemetry's TraceIdRatioBased sampler, so that all services of a trace choose alike. */
function isBelowRatio(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true
  const folded = wordAt(traceId, 0) ^ wordAt(traceId, 8) ^ wordAt(traceId, 16) ^ wordAt(traceId, 24)
  return folded >>> 0 < Math.floor(ratio * 0xffff_ffff)
}
