import { constants } from 'node:os'
import { IoError } from '../../io/io-error.ts'
import type { HashKind, Step } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Checksum, ChecksumAlgorithm, ObjectRef, WritePrecondition } from '../backend.ts'
import type { PayloadCheck } from '../payload.ts'
import {
  ATTRIBUTE,
  CONTENT_ATTRIBUTES,
  checksumInChain,
  hashKindOf,
  type Attribute,
} from './attributes.ts'
import { mismatch } from './collected.ts'
import { failureOf } from './errors.ts'
import { etagForm, etagText } from './etag-form.ts'
import { keyPath } from './paths.ts'
import { withPreconditionInPlace } from './preconditions.ts'
import type { Task } from './task.ts'
import { onTerms, type WriteTerms } from './terms.ts'

const { EEXIST, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY } = constants.errno

/** Everything that describes an object, so that nothing of an earlier one stays behind. */
const DESCRIPTION: readonly string[] = [
  ...CONTENT_ATTRIBUTES.map(([name]) => name),
  ATTRIBUTE.metadata,
  ATTRIBUTE.tags,
]

const LOCKS: readonly string[] = [ATTRIBUTE.retention, ATTRIBUTE.legalHold]

export interface DirectoryObject {
  readonly description: readonly Attribute[]
  readonly checksum: ChecksumAlgorithm
  readonly precondition: WritePrecondition
  /** What the client declared of the nothing that it sent. */
  readonly checks: readonly PayloadCheck[]
}

export interface WrittenDirectory {
  readonly etag: string
  readonly lastModifiedMs: number
  readonly checksum: Checksum
}

/**
 * Puts the object `a/b/`: the directory, marked as an object by its `etag`, which is written last. The client's digests are
 * verified before anything is made.
 */
export function putDirectoryObject(
  task: Task<ObjectRef>,
  object: DirectoryObject,
): Promise<WrittenDirectory> {
  return withPreconditionInPlace(task, object.precondition, (terms) =>
    markDirectory(task, object, terms),
  )
}

async function markDirectory(
  task: Task<ObjectRef>,
  object: DirectoryObject,
  terms: WriteTerms,
): Promise<WrittenDirectory> {
  const { durable, dirMode } = task.volume
  const { path } = keyPath(task.subject.key)
  const kind = hashKindOf(object.checksum)
  const form = etagForm(task.volume, object.checksum)
  const attributes: Attribute[] = [
    ...onTerms(object.description, terms),
    checksumInChain(object.checksum),
    form.inChain,
  ]
  const written = new Set(attributes.map(([name]) => name))
  // A lock that was there has ended, or the write would have been refused.
  const earlier = terms.onlyOver === undefined ? DESCRIPTION : [...DESCRIPTION, ...LOCKS]
  const removed = earlier.filter((name) => !written.has(name))
  const chain = task.begin()
  const { steps, bucket } = chain
  const kinds = [
    ...new Set<HashKind>([form.kind, kind, ...object.checks.map((check) => check.kind)]),
  ]
  steps.hash([], 'job', kinds)
  const verified = object.checks.map((check) =>
    steps.verifyDigest('job', check.kind, check.expected),
  )
  const sum = steps.digest('job', kind)
  const tag = steps.digest('job', form.kind)
  const made = chain.at(
    'parents',
    steps.makeParents(bucket, path, {
      mode: dirMode,
      sync: durable,
      ...(task.owner && { owner: task.owner }),
    }),
  )
  const writing = steps.writeMetadata(made, attributes, { removed })
  const stat = steps.stat(made)
  if (durable) steps.sync(made, 'dir')
  try {
    await steps.run()
  } catch (error) {
    if (!(error instanceof IoError)) throw error
    if (error.step === made || error.step === writing) await pruneUnmarked(task, path)
    throw mismatch(error, verified, object.checks) ?? chain.toS3Error(error)
  }
  const value = sum.value.toString('base64')
  return {
    etag: `"${etagText(form, () => tag.value)}"`,
    lastModifiedMs: stat.value.mtimeMs,
    checksum: { algorithm: object.checksum, type: 'FULL_OBJECT', value },
  }
}

/** Removes directories that were made for an object that did not come to be. */
async function pruneUnmarked(task: Task, path: string): Promise<void> {
  const chain = task.begin()
  chain.steps.pruneParents(chain.bucket, path, { stopAt: ATTRIBUTE.etag, sync: false })
  await chain.attempt()
}

/**
 * Deletes the object `a/b/`: the directory where it is empty, else its mark, so that it lives on as the parent of what lies
 * in it. A directory that never was an object cannot be deleted while it holds something.
 */
export async function deleteDirectoryObject(task: Task<ObjectRef>): Promise<void> {
  const { durable } = task.volume
  const path = keyPath(task.subject.key)
  const inBucket = path.parent === ''
  const chain = task.begin({ readable: durable && inBucket })
  const { steps, bucket } = chain
  const parent = inBucket ? bucket : chain.at('object', steps.openDir(bucket, path.parent))
  const removed = steps.remove(parent, path.name, { directory: true })
  if (!inBucket) steps.pruneParents(bucket, path.parent, { stopAt: ATTRIBUTE.etag, sync: durable })
  else if (durable) steps.sync(bucket, 'dir')
  try {
    await steps.run()
  } catch (error) {
    const { step, errno } = failureOf(error)
    if (step === removed && (errno === ENOTEMPTY || errno === EEXIST))
      return unmarkDirectory(task, path.path)
    // Nothing of that name, or a file where a directory was meant.
    const isAbsent = errno === ENOENT || errno === ENOTDIR || errno === EISDIR
    if (isAbsent && (step === removed || (step === parent && !inBucket))) return
    throw chain.toS3Error(error)
  }
}

async function unmarkDirectory(task: Task, path: string): Promise<void> {
  const chain = task.begin()
  const { steps } = chain
  const directory = steps.openDir(chain.bucket, path, { readable: true })
  const stored: Step<ReadonlyMap<string, Buffer>> = steps.readMetadata(directory, [ATTRIBUTE.etag])
  steps.writeMetadata(directory, [], { removed: [ATTRIBUTE.etag] })
  if (task.volume.durable) steps.sync(directory, 'dir')
  try {
    await steps.run()
  } catch (error) {
    if (error instanceof IoError && error.step === directory && error.errno === ENOENT) return
    throw chain.toS3Error(error)
  }
  if (!stored.value.has(ATTRIBUTE.etag)) throw new S3Error('ErrDirectoryNotEmpty')
}
