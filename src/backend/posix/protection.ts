import { constants } from 'node:os'
import type { Step } from '../../io/io.ts'
import type { ObjectRef } from '../backend.ts'
import { readBucketLock, retentionGivenBy, type BucketLock } from '../bucket-lock.ts'
import { protectedByLock, protectionOf, type Protection } from '../retention.ts'
import { ATTRIBUTE, lockAttributes, type Attribute } from './attributes.ts'
import { failureOf } from './errors.ts'
import type { StoredAttributes } from './head.ts'
import { bucketEntry } from './paths.ts'
import type { BucketChain, Task } from './task.ts'
import type { Volume } from './volume.ts'

/** What a plain bucket has none of. Where there is no place for versions, its versioning is of no effect. */
const MARKS: readonly string[] = [ATTRIBUTE.bucketLock, ATTRIBUTE.versioning]
const LOCK_MARK: readonly string[] = [ATTRIBUTE.bucketLock]

function marksOf({ versions }: Volume): readonly string[] {
  return versions === undefined ? LOCK_MARK : MARKS
}

/** A configuration that cannot be read protects what is protected by itself. */
const UNREADABLE: BucketLock = { enabled: true, defaultRetention: undefined }

/** The lock configuration of the bucket; undefined where its objects cannot be locked. */
export async function readLock(task: Task): Promise<BucketLock | undefined> {
  const { plainBuckets } = task.volume
  const { bucket } = task.subject
  if (plainBuckets.has(bucket)) return undefined
  const sinceMs = performance.now()
  // Who has no locks is not shown that they were looked for.
  const chain = task.begin({ readable: true, record: plainBuckets.isMarked(bucket) })
  const documents = chain.steps.readMetadata(chain.bucket, marksOf(task.volume))
  await chain.run()
  noteMarks(task, documents.value, sinceMs)
  return lockOf(documents.value)
}

/** Remembers whether the bucket is plain, by its attributes, which were read after `sinceMs`. */
export function noteMarks(
  { volume, subject }: Task,
  marks: StoredAttributes,
  sinceMs: number,
): void {
  const isPlain = marksOf(volume).every((name) => !marks.has(name))
  if (isPlain) volume.plainBuckets.add(subject.bucket, sinceMs)
  else volume.plainBuckets.mark(subject.bucket)
}

/** The lock configuration among a bucket's attributes. */
export function lockOf(marks: StoredAttributes): BucketLock | undefined {
  const stored = marks.get(ATTRIBUTE.bucketLock)
  return stored && (readBucketLock(stored) ?? UNREADABLE)
}

/** Throws AccessDenied unless what has these attributes may be deleted or replaced now. */
export async function checkProtection(
  task: Task<ObjectRef>,
  attributes: StoredAttributes,
  lock: BucketLock,
): Promise<void> {
  const protection = protectionBy(attributes, lock)
  if (protection === 'none') return
  if (protection === 'governance' && (await task.mayBypass?.(task.subject)) === true) return
  throw protectedByLock()
}

export function isProtected(attributes: StoredAttributes, lock: BucketLock): boolean {
  return protectionBy(attributes, lock) !== 'none'
}

function protectionBy(attributes: StoredAttributes, lock: BucketLock): Protection {
  if (attributes.has(ATTRIBUTE.deleteMarker)) return 'none'
  const retention = attributes.get(ATTRIBUTE.retention)
  const legalHold = attributes.get(ATTRIBUTE.legalHold)
  return protectionOf({ retention, legalHold }, lock, Date.now())
}

/** What the bucket hangs on an object that brings no retention of its own, where it hangs anything on objects. */
export function givenRetention(volume: Volume, lock: BucketLock): Attribute | undefined {
  if (!volume.storesDefaultRetention) return undefined
  const retention = retentionGivenBy(lock, Date.now())
  return retention && [...lockAttributes({ retention, legalHold: false })][0]
}

/** A chain has found that its bucket is not plain, and has changed nothing. */
export class NotPlain extends Error {}

/**
 * Adds the steps that end a chain with `NotPlain` unless its bucket is plain, unseen in its trace. The bucket is opened anew:
 * attributes cannot be read from the descriptor that serves to reach what lies in it.
 */
export function addPlainLook(task: Task, chain: BucketChain): Step<void> {
  const { steps } = chain
  const { root, silent } = task.volume
  steps.under(silent)
  const open = { followLast: true, readable: true }
  const bucket = chain.at('bucket', steps.openDir(root, bucketEntry(task.subject.bucket), open))
  const look = steps.verifyFile(bucket, { regular: false, has: [], lacks: marksOf(task.volume) })
  steps.under(task.span)
  return look
}

export function isNotPlain(error: unknown, look: Step<void> | undefined): boolean {
  const { step, errno } = failureOf(error)
  return look !== undefined && step === look && errno === constants.errno.ENOENT
}
