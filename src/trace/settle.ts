import { SPAN } from './names.ts'
import { Span, type AttributeValue, type Recorder } from './recorder.ts'
import type { ReadSyscalls, SyscallFacts } from './tracing-config.ts'

/**
 * Gives a record that is kept its final times: what is still open ends with the root, and every child lies inside its
 * parent. (A client that goes away ends its root while the I/O pool still works for it.) Parents stand before their
 * children in `spans`, so one pass does.
 */
export function settle(recorder: Recorder): void {
  const { root } = recorder
  root.endNs = Math.max(root.startNs, root.endNs)
  for (const span of recorder.spans) {
    if (span.endNs === 0) span.endNs = root.endNs
    if (span.parent !== undefined) fitInto(span, span.parent)
  }
}

function fitInto(span: Span, parent: Span): void {
  span.startNs = clamp(span.startNs, parent.startNs, parent.endNs)
  span.endNs = clamp(span.endNs, span.startNs, parent.endNs)
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value
}

/** Turns the raw system-call records of a settled recorder into spans below those that made the calls. */
export function addSyscallSpans(recorder: Recorder, readSyscalls: ReadSyscalls): void {
  const made = recorder.spans.flatMap((span) => syscallSpans(span, readSyscalls))
  for (const span of made) recorder.spans.push(span)
}

/** The spans of one ended span's system calls. */
export function syscallSpans(span: Span, readSyscalls: ReadSyscalls): Span[] {
  if (span.syscalls === undefined) return []
  return Array.from(readSyscalls(span.syscalls), (call) => {
    const child = new Span(span.recorder, span, SPAN.syscall(call.name), call.startNs)
    child.attributes = syscallAttributes(call)
    child.endNs = call.endNs
    fitInto(child, span)
    return child
  })
}

function syscallAttributes(call: SyscallFacts): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {}
  if (call.fd !== undefined) attributes['posix.fd'] = call.fd
  if (call.offset !== undefined) attributes['posix.offset'] = call.offset
  if (call.bytes !== undefined) attributes['posix.bytes'] = call.bytes
  attributes['posix.errno'] = call.errno
  // The kernel call's own time, also where the span had to be cut to fit its parent.
  attributes['posix.duration_us'] = Math.round(call.endNs - call.startNs) / 1e3
  return attributes
}
