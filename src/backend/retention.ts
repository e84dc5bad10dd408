import { parseObject } from '../go-json.ts'
import { S3Error } from '../s3/errors.ts'
import { parseIsoTime } from '../s3/iso-time.ts'
import type { ObjectRetention } from './backend.ts'
import { endOfPeriod, type BucketLock } from './bucket-lock.ts'

/**
 * A retention as it is stored, by a write or by a call of its own: the second form has a name around it (contract 2.3).
 * Undefined where there is none, or one that cannot be read.
 */
export function readRetention(stored: Buffer | undefined): ObjectRetention | undefined {
  const document = parseObject(stored)
  const mode = document?.['Mode']
  const retainUntil = document?.['RetainUntilDate']
  return typeof mode === 'string' && typeof retainUntil === 'string'
    ? { mode, retainUntil }
    : undefined
}

/** What is stored with an object that may be locked. */
export interface StoredLock {
  readonly retention: Buffer | undefined
  readonly legalHold: Buffer | undefined
}

/** `governance` yields to who may bypass it, `fixed` to nobody. */
export type Protection = 'none' | 'governance' | 'fixed'

/**
 * What keeps an object from being deleted or overwritten at this moment (contract 4.7).
 *
 * A hold counts whatever became of the retention (9.2, 7). An object without a retention of its own has its bucket's, counted
 * from when the bucket got it. What cannot be read protects for ever.
 */
export function protectionOf(
  { retention, legalHold }: StoredLock,
  bucket: BucketLock,
  nowMs: number,
): Protection {
  if (legalHold !== undefined && legalHold[0] !== 0) return 'fixed'
  const term = heldTerm(retention, bucket, nowMs)
  if (term === undefined || term.untilMs <= nowMs) return 'none'
  return term.mode === 'GOVERNANCE' ? 'governance' : 'fixed'
}

/** A retention as it counts; infinite where it cannot be read. */
export interface RetentionTerm {
  readonly mode: string
  /** Milliseconds since the epoch. */
  readonly untilMs: number
}

/**
 * What holds an object: its own retention, which may have ended, or else its bucket's, as long as that holds. Undefined where
 * there is neither.
 */
export function heldTerm(
  stored: Buffer | undefined,
  bucket: BucketLock,
  nowMs: number,
): RetentionTerm | undefined {
  if (stored !== undefined) return ownTerm(stored)
  const inherited = inheritedTerm(bucket)
  return inherited !== undefined && inherited.untilMs > nowMs ? inherited : undefined
}

function ownTerm(stored: Buffer): RetentionTerm {
  const retention = readRetention(stored)
  if (retention === undefined) return { mode: '', untilMs: Infinity }
  const { mode, retainUntil } = retention
  return { mode, untilMs: parseIsoTime(retainUntil)?.ms ?? Infinity }
}

function inheritedTerm({ defaultRetention, createdAtMs }: BucketLock): RetentionTerm | undefined {
  if (defaultRetention === undefined) return undefined
  const { mode } = defaultRetention
  const untilMs = createdAtMs === undefined ? Infinity : endOfPeriod(defaultRetention, createdAtMs)
  return { mode, untilMs }
}

export function protectedByLock(): S3Error {
  const message = 'Access Denied because object protected by object lock.'
  return new S3Error('AccessDenied', {}, { message })
}
