import type { DeletePrecondition, WritePrecondition } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import { formatHttpDate, parseHttpDate } from './http-date.ts'
import type { S3Request } from './request.ts'

/** Conditions on an object that is read, from a request's own headers or from those about a copy's source. */
export interface ReadConditions {
  readonly ifMatch: string | undefined
  readonly ifNoneMatch: string | undefined
  readonly ifModifiedSinceMs: number | undefined
  readonly ifUnmodifiedSinceMs: number | undefined
}

/** What conditions are tested against. */
export interface Validators {
  readonly etag: string
  readonly lastModifiedMs: number
}

type Outcome = 'pass' | 'not-modified' | 'If-Match' | 'If-None-Match' | 'If-Unmodified-Since'

export function readConditions(request: S3Request, now: number = Date.now()): ReadConditions {
  return conditionsOf(request, '', now)
}

/** `x-amz-copy-source-if-*` */
export function copyConditions(request: S3Request, now: number = Date.now()): ReadConditions {
  return conditionsOf(request, 'x-amz-copy-source-', now)
}

/** 304 or 412 unless the object may be served. A 304 carries the validators, as RFC 9110 §15.4.5 wants. */
export function checkReadConditions(conditions: ReadConditions, head: Validators): void {
  const outcome = evaluate(conditions, head)
  if (outcome === 'pass') return
  if (outcome !== 'not-modified') throw preconditionFailed(outcome)
  const headers = { ETag: head.etag, 'Last-Modified': formatHttpDate(head.lastModifiedMs) }
  throw new S3Error('NotModified', {}, { headers })
}

/** A copy whose source does not meet its conditions is 412, whatever the method would be answered. */
export function checkCopyConditions(conditions: ReadConditions, head: Validators): void {
  const outcome = evaluate(conditions, head)
  if (outcome === 'pass') return
  if (outcome !== 'not-modified') throw preconditionFailed(outcome)
  throw preconditionFailed(
    conditions.ifNoneMatch === undefined ? 'If-Modified-Since' : 'If-None-Match',
  )
}

/** Of a write: `If-None-Match: *` or `If-Match: <etag>`, not both, and nothing else. */
export function writePrecondition(request: S3Request): WritePrecondition {
  const ifMatch = request.headers['if-match']
  const ifNoneMatch = request.headers['if-none-match']
  if (ifNoneMatch === undefined) return ifMatch === undefined ? NO_PRECONDITION : { ifMatch }
  if (ifMatch !== undefined) {
    throw notImplemented(
      'If-Match,If-None-Match',
      'Multiple conditional request headers present in the request',
    )
  }
  if (ifNoneMatch === '*') return IF_ABSENT
  throw notImplemented(
    'If-None-Match',
    "We don\\'t accept the provided value of If-None-Match header for this API",
  )
}

export function deletePrecondition(request: S3Request): DeletePrecondition {
  const { headers } = request
  const modified = headers['x-amz-if-match-last-modified-time']
  const size = headers['x-amz-if-match-size']
  const modifiedMs = typeof modified === 'string' ? parseHttpDate(modified) : undefined
  return {
    ifMatch: headers['if-match'],
    ifLastModified: modifiedMs === undefined ? undefined : new Date(modifiedMs),
    ifSize: typeof size === 'string' && DIGITS.test(size) ? Number(size) : undefined,
  }
}

/** The 412 a client expects; `condition` says which one failed. */
export function preconditionFailed(condition: string, cause?: Error): S3Error {
  return new S3Error('PreconditionFailed', { Condition: condition }, { cause })
}

/** One of several ETags, quotes optional; `*` matches whatever exists. */
export function matchesEtag(list: string, etag: string): boolean {
  const bare = unquote(etag)
  for (const candidate of list.split(',')) {
    const wanted = candidate.trim()
    if (wanted === '*' || unquote(wanted) === bare) return true
  }
  return false
}

const DIGITS = /^\d{1,15}$/
const NO_PRECONDITION: WritePrecondition = {}
const IF_ABSENT: WritePrecondition = { ifNoneMatch: '*' }
const NO_CONDITIONS: ReadConditions = {
  ifMatch: undefined,
  ifNoneMatch: undefined,
  ifModifiedSinceMs: undefined,
  ifUnmodifiedSinceMs: undefined,
}

function conditionsOf({ headers }: S3Request, prefix: string, now: number): ReadConditions {
  const ifMatch = headers[`${prefix}if-match`]
  const ifNoneMatch = headers[`${prefix}if-none-match`]
  const modified = headers[`${prefix}if-modified-since`]
  const unmodified = headers[`${prefix}if-unmodified-since`]
  if ((ifMatch ?? ifNoneMatch ?? modified ?? unmodified) === undefined) return NO_CONDITIONS
  return {
    ifMatch: text(ifMatch),
    ifNoneMatch: text(ifNoneMatch),
    ifModifiedSinceMs: pastDate(text(modified), now),
    ifUnmodifiedSinceMs: pastDate(text(unmodified), now),
  }
}

/**
 * RFC 9110 §13.2.2, with S3's departure: where If-None-Match or If-Modified-Since says 304 and If-Unmodified-Since fails
 * too, the answer is 412. Times are compared in whole seconds, the resolution of the header they are compared with.
 */
function evaluate(conditions: ReadConditions, head: Validators): Outcome {
  if (conditions === NO_CONDITIONS) return 'pass'
  const { ifMatch, ifNoneMatch, ifModifiedSinceMs, ifUnmodifiedSinceMs } = conditions
  const second = Math.floor(head.lastModifiedMs / 1000)
  const isModified =
    ifModifiedSinceMs === undefined || second > Math.floor(ifModifiedSinceMs / 1000)
  const isUnmodified =
    ifUnmodifiedSinceMs === undefined || second <= Math.floor(ifUnmodifiedSinceMs / 1000)
  const isOther = ifNoneMatch === undefined || !matchesEtag(weak(ifNoneMatch), head.etag)

  if (ifMatch !== undefined) {
    if (!matchesEtag(ifMatch, head.etag)) return 'If-Match'
    // If-Match stands in for If-Unmodified-Since.
    return isOther && (ifNoneMatch !== undefined || isModified) ? 'pass' : 'not-modified'
  }
  if (!isUnmodified) return 'If-Unmodified-Since'
  if (ifNoneMatch !== undefined) return isOther ? 'pass' : 'not-modified'
  return isModified ? 'pass' : 'not-modified'
}

/** If-None-Match compares weakly (RFC 9110 §13.1.2): a proxy that compressed our answer has marked its ETag weak. */
function weak(list: string): string {
  return list.replaceAll('W/"', '"')
}

function unquote(etag: string): string {
  let start = 0
  let end = etag.length
  while (start < end && etag.charCodeAt(start) === QUOTE) start++
  while (end > start && etag.charCodeAt(end - 1) === QUOTE) end--
  return etag.slice(start, end)
}

const QUOTE = 0x22

/** A date that cannot be read, or that lies ahead, is no condition. */
function pastDate(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const time = parseHttpDate(value)
  return time === undefined || time > now ? undefined : time
}

function text(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(', ') : value
}

function notImplemented(header: string, additionalMessage: string): S3Error {
  return new S3Error('NotImplemented', { Header: header, additionalMessage })
}
