import { IoError } from '../../io/io-error.ts'
import type { CopyResult, StepTimes } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import { SPAN } from '../../trace/names.ts'
import type { Span } from '../../trace/recorder.ts'

/** How bytes went from file to file, in the words of a trace. */
export interface CopyFacts {
  readonly method: 'copy_file_range' | 'io_copy_with_checksum' | 'io_copy_fallback' | 'reflink'
  readonly usedFallback: boolean
}

export function copyFacts(result: CopyResult, isHashed: boolean): CopyFacts {
  if (isHashed) return { method: 'io_copy_with_checksum', usedFallback: false }
  if (result.method === 'read_write') return { method: 'io_copy_fallback', usedFallback: true }
  return { method: result.method, usedFallback: false }
}

/** CopyPart: below it FastFileCopy, unless extents were shared or the bytes hashed on their way. */
export function drawCopyPart(span: Span, facts: CopyFacts, bytes: number, times: StepTimes): void {
  if (isPlain(facts))
    drawCopy(span.child(SPAN.fastFileCopy, {}, times.startNs), facts, bytes, times)
  else drawHashed(span, times)
  span.set('posix.copy_method', facts.method)
  finish(span, times)
}

/** FastFileCopy: below it CopyFileRange, where the bytes were copied as they are. */
export function drawCopy(span: Span, facts: CopyFacts, bytes: number, times: StepTimes): void {
  span.set('posix.copy_method', facts.method)
  span.set('posix.bytes_copied', bytes)
  if (isPlain(facts)) {
    const range = span.child(
      SPAN.copyFileRange,
      { 'posix.bytes_copied': bytes, 'posix.used_fallback': facts.usedFallback },
      times.startNs,
    )
    range.syscalls = times.syscalls
    finish(range, times)
  } else {
    drawHashed(span, times)
  }
  finish(span, times)
}

/** What broke off: how much it had copied by then is not known. */
export function drawBroken(span: Span, error: unknown, times: StepTimes): void {
  const { type, message } = reasonOf(error)
  span.fail({ type, message })
  span.syscalls = times.syscalls
  finish(span, times)
}

/** The errno, where there is one below what the client is told. */
export function reasonOf(error: unknown): { readonly type: string; readonly message: string } {
  const cause = error instanceof Error && error.cause instanceof IoError ? error.cause : error
  if (cause instanceof IoError) return { type: cause.code, message: cause.message }
  return { type: error instanceof S3Error ? error.code : 'Error', message: 'the copy broke off' }
}

/** No child has the time and the calls: they are this span's own. */
function drawHashed(span: Span, { hashNs, syscalls }: StepTimes): void {
  if (hashNs > 0) span.set('posix.hash_ms', hashNs / 1e6)
  span.syscalls = syscalls
}

function isPlain({ method }: CopyFacts): boolean {
  return method === 'copy_file_range' || method === 'io_copy_fallback'
}

function finish(span: Span, times: StepTimes): void {
  span.set('posix.queue_ms', times.queueNs / 1e6)
  span.end(times.endNs)
}
