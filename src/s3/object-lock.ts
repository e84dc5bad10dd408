import type { Backend, Call, ObjectLock, ObjectRef, ObjectRetention } from '../backend/backend.ts'
import { readBucketLock, type BucketLock } from '../backend/bucket-lock.ts'
import { protectedByLock, type RetentionTerm } from '../backend/retention.ts'
import { childText, type XmlElement } from '../http/xml-reader.ts'
import { S3Error, type S3ErrorOptions } from './errors.ts'
import { parseIsoTime, type IsoTime } from './iso-time.ts'
import type { S3Request } from './request.ts'

/** Retention and legal hold of objects: what requests ask for, how it is stored, and what may replace what. */

const MODE = 'x-amz-object-lock-mode'
const UNTIL = 'x-amz-object-lock-retain-until-date'
const HOLD = 'x-amz-object-lock-legal-hold'

type RetentionMode = 'GOVERNANCE' | 'COMPLIANCE'

/** What a write asks for; undefined where that is nothing, as `OFF` is for an object that is new. */
export function objectLockHeaders({ headers }: S3Request): ObjectLock | undefined {
  const mode = headers[MODE]
  const until = headers[UNTIL]
  const hold = headers[HOLD]
  if (mode === undefined && until === undefined && hold === undefined) return undefined
  const retention = retentionOf(mode, until)
  const legalHold = isHeld(hold)
  return retention === undefined && !legalHold ? undefined : { retention, legalHold }
}

type HeaderValue = string | string[] | undefined

function retentionOf(mode: HeaderValue, until: HeaderValue): ObjectRetention | undefined {
  const hasMode = mode !== undefined && mode !== ''
  const hasDate = until !== undefined && until !== ''
  if (!hasMode && !hasDate) return undefined
  if (!hasMode || !hasDate) {
    throw invalid(hasMode ? UNTIL : MODE, undefined, `${UNTIL} and ${MODE} must both be supplied.`)
  }
  const time = parseIsoTime(String(until))
  if (time === undefined) {
    const message = 'The retain until date must be provided in ISO 8601 format'
    throw invalid(UNTIL, String(until), message)
  }
  checkFuture(time)
  if (!isMode(mode)) throw invalid(MODE, String(mode), 'Unknown wormMode directive.')
  return { mode, retainUntil: time.text }
}

function isHeld(hold: HeaderValue): boolean {
  if (hold === undefined || hold === '' || hold === 'OFF') return false
  if (hold === 'ON') return true
  throw invalid(HOLD, String(hold), "Legal Hold must be either of 'ON' or 'OFF'")
}

function isMode(text: unknown): text is RetentionMode {
  return text === 'GOVERNANCE' || text === 'COMPLIANCE'
}

function checkFuture({ text, ms }: IsoTime): void {
  if (ms <= Date.now()) throw pastDate(text)
}

function pastDate(text: string): S3Error {
  return invalid(UNTIL, text, 'The retain until date must be in the future!')
}

function invalid(name: string, value: string | undefined, message: string): S3Error {
  const details = { ArgumentName: name, ...(value !== undefined && { ArgumentValue: value }) }
  return new S3Error('InvalidArgument', details, { message })
}

/** A retention that is to be stored. */
export interface RetentionRequest {
  readonly mode: RetentionMode
  readonly until: IsoTime
}

/** Of Go's zero time, which stands for a date that is missing. */
const NO_DATE: IsoTime = { text: '0001-01-01T00:00:00Z', ms: -Infinity }

/**
 * A `Retention` document; undefined where it is empty, which in S3's dialect takes a retention away. The date is looked at
 * first, as VersityGW does.
 */
export function parseRetention(root: XmlElement | undefined): RetentionRequest | undefined {
  const mode = childText(root, 'Mode')
  const date = childText(root, 'RetainUntilDate')
  if (root !== undefined && mode === undefined && date === undefined) return undefined
  const until = date === undefined ? NO_DATE : parseIsoTime(date, { compactZone: true })
  if (root === undefined || until === undefined) throw new S3Error('MalformedXML')
  checkFuture(until)
  if (!isMode(mode)) throw new S3Error('MalformedXML')
  return { mode, until }
}

/** To VersityGW an empty document is one without a date. */
export function refuseEmptyRetention(): never {
  throw pastDate(NO_DATE.text)
}

/** As PutObjectRetention stores it (contract 2.3); with an object that is new it is stored without the name. */
export function storeRetention({ mode, until }: RetentionRequest): string {
  const name = '{"Space":"","Local":"Retention"}'
  return `{"XMLName":${name},"Mode":"${mode}","RetainUntilDate":"${until.text}"}`
}

/**
 * Throws unless a retention may take the place of the one that holds, be it the object's own or its bucket's. COMPLIANCE is
 * never shortened nor loosened; GOVERNANCE is shortened by whoever may bypass it, and changed by who is let past it.
 * Extending needs nothing (contract 4.7; 9.2, 23).
 */
export function checkReplacement(
  held: RetentionTerm | undefined,
  wanted: RetentionRequest,
  bypass: { readonly byRight: boolean; readonly byPolicy: boolean },
): void {
  if (held === undefined) return
  const isSameMode = held.mode === wanted.mode
  const isExtended = wanted.until.ms >= held.untilMs || held.untilMs <= Date.now()
  const isAllowed = isSameMode
    ? isExtended || (held.mode === 'GOVERNANCE' && bypass.byRight)
    : held.mode === 'GOVERNANCE' && bypass.byPolicy
  if (!isAllowed) throw protectedByLock()
}

/** Throws unless the retention that holds may be taken away: one that has ended, or GOVERNANCE by who is let past it. */
export function checkRemoval(held: RetentionTerm | undefined, byPolicy: boolean): void {
  if (held === undefined || held.untilMs <= Date.now()) return
  if (held.mode !== 'GOVERNANCE' || !byPolicy) throw protectedByLock()
}

/** A `LegalHold` document: whether it says ON. */
export function parseLegalHold(root: XmlElement | undefined): boolean {
  const status = childText(root, 'Status')
  if (status !== 'ON' && status !== 'OFF') throw new S3Error('MalformedXML')
  return status === 'ON'
}

/** One byte: 1 is ON, 0 is OFF. */
export function storeLegalHold(isOn: boolean): Buffer {
  return Buffer.from([isOn ? 1 : 0])
}

/** Whether objects of a bucket can be locked. */
export async function isLockable(bucket: string, backend: Backend, call: Call): Promise<boolean> {
  return (await enabledLock(bucket, backend, call)) !== undefined
}

async function enabledLock(
  bucket: string,
  backend: Backend,
  call: Call,
): Promise<BucketLock | undefined> {
  const lock = readBucketLock(await backend.getBucketSubresource(bucket, 'bucket-lock', call))
  return lock?.enabled === true ? lock : undefined
}

/** For the calls that hang a lock on an object: what is no object is told first, then that its bucket has no locks. */
export async function requireLockable(
  ref: ObjectRef,
  backend: Backend,
  call: Call,
): Promise<BucketLock> {
  const lock = await enabledLock(ref.bucket, backend, call)
  if (lock !== undefined) return lock
  await backend.headObject(ref, call)
  throw missingLockConfiguration('call')
}

/** A lock that was asked for must not be left out in silence. Writes and the calls of their own have two wordings. */
export function missingLockConfiguration(of: 'write' | 'call'): S3Error {
  const configuration = of === 'write' ? 'ObjectLockConfiguration' : 'Object Lock Configuration'
  const options: S3ErrorOptions = { message: `Bucket is missing ${configuration}` }
  return new S3Error('InvalidRequest', {}, options)
}
