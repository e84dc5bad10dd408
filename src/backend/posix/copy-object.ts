import type { FileIdentity } from '../../io/io.ts'
import { preconditionFailed } from '../../s3/conditions.ts'
import { S3Error } from '../../s3/errors.ts'
import type {
  ChecksumAlgorithm,
  CopiedObject,
  CopySource,
  CopyTarget,
  ObjectRef,
} from '../backend.ts'
import {
  ATTRIBUTE,
  checksumsAttribute,
  describingAttributes,
  etagAttribute,
  hashKindOf,
  isComputable,
  type Attribute,
} from './attributes.ts'
import { copyData, reusableSums } from './copy-data.ts'
import { putDirectoryObject } from './directory-object.ts'
import { etagForm, etagText } from './etag-form.ts'
import type { OpenObject } from './opened.ts'
import { keyPath } from './paths.ts'
import { objectFacts, objectTarget } from './object-target.ts'
import { withPrecondition, withPreconditionInPlace } from './preconditions.ts'
import { isProtected, readLock } from './protection.ts'
import { publish } from './publish.ts'
import { replaceDescription } from './replace-description.ts'
import type { Task } from './task.ts'
import { filledFrom, withTemporaryFile } from './temporary-file.ts'
import { onTerms } from './terms.ts'
import { keepsVersions } from './versions/current.ts'
import { openSource } from './versions/open-source.ts'

const DIRECTORY_TYPE = 'application/x-directory'

/** Copies inside the file system: the bytes never leave it, and where it shares extents they are not even copied. */
export async function copyObject(
  task: Task<ObjectRef>,
  source: CopySource,
  object: CopyTarget,
): Promise<CopiedObject> {
  const { subject } = task
  const opened = await openSource(task.about(source))
  try {
    source.check(opened.head)
    const isItself =
      source.bucket === subject.bucket && source.key === subject.key && opened.isCurrent
    if (isItself && !(await becomesVersion(task, opened, object)))
      return await copyOntoItself(task, opened, object)
    if (keyPath(subject.key).isDirectory) return await copyToDirectory(task, opened, object)
    return await copyToFile(task, opened, object)
  } finally {
    await task.close(opened.fd)
  }
}

/** What is locked is not rewritten in place: where versions are kept, what is asked for becomes another one. */
async function becomesVersion(
  task: Task<ObjectRef>,
  { attributes }: OpenObject,
  { metadata }: CopyTarget,
): Promise<boolean> {
  if (metadata === 'COPY' || keyPath(task.subject.key).isDirectory) return false
  const lock = await readLock(task)
  return lock !== undefined && isProtected(attributes, lock) && (await keepsVersions(task))
}

async function copyToFile(
  task: Task<ObjectRef>,
  source: OpenObject,
  object: CopyTarget,
): Promise<CopiedObject> {
  const { size } = source.head
  const algorithm = targetAlgorithm(source, object)
  const kind = hashKindOf(algorithm)
  const form = etagForm(task.volume, algorithm)
  const target = objectTarget(task, object)
  const facts = objectFacts(task)
  return withTemporaryFile(task, { target, facts, size, preallocate: false }, async (file) => {
    const known = reusableSums(source, algorithm, form)
    const kinds = known === undefined ? [form.kind, kind] : []
    const range = { offset: 0, length: size }
    const copied = await copyData(task, { from: source.fd, range, to: file.fd, kinds })
    const digest = known ?? copied.digest
    const etag = etagText(form, digest)
    const value = digest(kind).toString('base64')
    const attributes = [
      ...copiedDescription(source, object),
      etagAttribute(etag),
      checksumsAttribute(algorithm, 'FULL_OBJECT', value),
    ]
    const versionId = await withPrecondition(task, object.precondition, (terms) =>
      publish(task, { target, terms, attributes, facts, ...filledFrom(task, file, size) }),
    )
    return {
      etag: `"${etag}"`,
      lastModifiedMs: copied.stat.mtimeMs,
      checksum: { algorithm, type: 'FULL_OBJECT', value },
      sourceVersionId: source.head.versionId,
      versionId,
    }
  })
}

/** Requested, else the source's own, else the gateway's usual one. */
function targetAlgorithm(source: OpenObject, object: CopyTarget): ChecksumAlgorithm {
  const own = source.head.checksum?.algorithm
  return object.checksum ?? (own !== undefined && isComputable(own) ? own : 'CRC64NVME')
}

/** What the copy says of itself. The source's website redirect is never taken over. */
function copiedDescription(
  source: OpenObject,
  object: CopyTarget,
  defaultType?: string,
): Attribute[] {
  const { metadata, tags, lock } = object
  const { head } = source
  const own = {
    headers: { ...head.headers, websiteRedirectLocation: undefined },
    userMetadata: head.userMetadata,
  }
  const { headers, userMetadata } = metadata === 'COPY' ? own : metadata
  const newTags = tags === 'COPY' ? undefined : tags.tags
  const description = { headers, userMetadata, tags: newTags, lock }
  const attributes = describingAttributes(description, defaultType)
  const stored = source.attributes.get(ATTRIBUTE.tags)
  if (tags === 'COPY' && stored !== undefined) attributes.push([ATTRIBUTE.tags, stored])
  return attributes
}

/** A directory object has no bytes: it can be the copy of anything that has none. */
async function copyToDirectory(
  task: Task<ObjectRef>,
  source: OpenObject,
  object: CopyTarget,
): Promise<CopiedObject> {
  if (source.head.size > 0) throw new S3Error('DirectoryObjectContainsData')
  const written = await putDirectoryObject(task, {
    description: copiedDescription(source, object, DIRECTORY_TYPE),
    checksum: targetAlgorithm(source, object),
    precondition: object.precondition,
    checks: [],
  })
  return { ...written, sourceVersionId: source.head.versionId, versionId: undefined }
}

/** The same bytes under the same key: only what describes them can change, and it changes where it is. */
async function copyOntoItself(
  task: Task<ObjectRef>,
  source: OpenObject,
  object: CopyTarget,
): Promise<CopiedObject> {
  if (object.metadata === 'COPY')
    throw new S3Error('InvalidRequest', {}, { message: NOTHING_CHANGES })
  const isDirectory = task.subject.key.endsWith('/')
  const description = copiedDescription(source, object, isDirectory ? DIRECTORY_TYPE : undefined)
  const keepsTags = object.tags === 'COPY'
  const checksum = await withPreconditionInPlace(task, object.precondition, (terms) => {
    // Another object has its name by now: that one was looked at, and not this.
    if (terms.onlyOver !== undefined && !isSameFile(terms.onlyOver, source.stat))
      throw preconditionFailed('If-Match')
    return replaceDescription(task, source, {
      description: onTerms(description, terms),
      keepsTags,
      checksum: object.checksum,
    })
  })
  const { etag, lastModifiedMs, versionId } = source.head
  return { etag, lastModifiedMs, checksum, sourceVersionId: versionId, versionId }
}

function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.ino === b.ino && a.dev === b.dev
}

const NOTHING_CHANGES =
  "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
