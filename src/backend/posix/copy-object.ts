import { S3Error } from '../../s3/errors.ts'
import type { Call, ChecksumAlgorithm, CopiedObject, CopySource, CopyTarget, ObjectRef } from '../backend.ts'
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
import { openObject, type OpenObject } from './get-object.ts'
import { keyPath } from './paths.ts'
import { withPrecondition } from './preconditions.ts'
import { publish } from './publish.ts'
import { objectFacts, objectTarget } from './put-object.ts'
import { replaceDescription } from './replace-description.ts'
import { filledFrom, withTemporaryFile } from './temporary-file.ts'
import type { Volume } from './volume.ts'

/** Copies inside the file system: the bytes never leave it, and where it shares extents they are not even copied. */
export async function copyObject(
  volume: Volume,
  source: CopySource,
  target: ObjectRef,
  object: CopyTarget,
  call: Call,
): Promise<CopiedObject> {
  const opened = await openObject(volume, source, 'keep', call)
  try {
    source.check(opened.head)
    if (source.bucket === target.bucket && source.key === target.key) return await copyOntoItself(volume, target, opened, object, call)
    if (keyPath(target.key).isDirectory) return await copyToDirectory(volume, target, opened, object, call)
    return await copyToFile(volume, target, opened, object, call)
  } finally {
    await opened.close()
  }
}

async function copyToFile(
  volume: Volume,
  ref: ObjectRef,
  source: OpenObject,
  object: CopyTarget,
  call: Call,
): Promise<CopiedObject> {
  const { size } = source.head
  const algorithm = targetAlgorithm(source, object)
  const kind = hashKindOf(algorithm)
  const target = objectTarget(keyPath(ref.key), object.precondition.ifNoneMatch === undefined)
  const facts = objectFacts(ref)
  return withTemporaryFile(volume, { subject: ref, target, facts, size, preallocate: false }, call, async (file) => {
    const known = reusableSums(source, algorithm)
    const kinds = known === undefined ? (['md5', kind] as const) : []
    const range = { offset: 0, length: size }
    const copied = await copyData(volume, { from: source.fd, range, to: file.fd, kinds, subject: ref }, call)
    const md5 = known?.md5 ?? copied.digest('md5').toString('hex')
    const value = known?.checksum ?? copied.digest(kind).toString('base64')
    const attributes = [
      ...copiedDescription(source, object),
      etagAttribute(md5),
      checksumsAttribute(algorithm, 'FULL_OBJECT', value),
    ]
    await withPrecondition(volume, ref, object.precondition, call, () =>
      publish(volume, { subject: ref, target, attributes, facts, ...filledFrom(volume, file, size) }, call),
    )
    return {
      etag: `"${md5}"`,
      lastModifiedMs: copied.stat.mtimeMs,
      checksum: { algorithm, type: 'FULL_OBJECT', value },
      sourceVersionId: source.head.versionId,
      versionId: undefined,
    }
  })
}

/** Requested, else the source's own, else the gateway's usual one. */
function targetAlgorithm(source: OpenObject, object: CopyTarget): ChecksumAlgorithm {
  const own = source.head.checksum?.algorithm
  return object.checksum ?? (own !== undefined && isComputable(own) ? own : 'CRC64NVME')
}

/** What the copy says of itself. The source's website redirect is never taken over. */
function copiedDescription(source: OpenObject, { metadata, tags }: CopyTarget, defaultType?: string): Attribute[] {
  const { headers, userMetadata } =
    metadata === 'COPY'
      ? { headers: { ...source.head.headers, websiteRedirectLocation: undefined }, userMetadata: source.head.userMetadata }
      : metadata
  const attributes = describingAttributes({ headers, userMetadata, tags: tags === 'COPY' ? undefined : tags.tags }, defaultType)
  const stored = source.attributes.get(ATTRIBUTE.tags)
  if (tags === 'COPY' && stored !== undefined) attributes.push([ATTRIBUTE.tags, stored])
  return attributes
}

/** A directory object has no bytes: it can be the copy of anything that has none. */
async function copyToDirectory(
  volume: Volume,
  ref: ObjectRef,
  source: OpenObject,
  object: CopyTarget,
  call: Call,
): Promise<CopiedObject> {
  if (source.head.size > 0) throw new S3Error('DirectoryObjectContainsData')
  const checksum = targetAlgorithm(source, object)
  const description = copiedDescription(source, object, 'application/x-directory')
  const written = await putDirectoryObject(volume, ref, { description, checksum, precondition: object.precondition, checks: [] }, call)
  return {
    etag: written.etag,
    lastModifiedMs: written.lastModifiedMs,
    checksum: written.checksum,
    sourceVersionId: source.head.versionId,
    versionId: undefined,
  }
}

/** The same bytes under the same key: only what describes them can change, and it changes where it is. */
async function copyOntoItself(
  volume: Volume,
  ref: ObjectRef,
  source: OpenObject,
  object: CopyTarget,
  call: Call,
): Promise<CopiedObject> {
  if (object.metadata === 'COPY') {
    throw new S3Error(
      'InvalidRequest',
      {},
      {
        message:
          "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
      },
    )
  }
  const description = copiedDescription(source, object, keyPath(ref.key).isDirectory ? 'application/x-directory' : undefined)
  const keepsTags = object.tags === 'COPY'
  const checksum = await withPrecondition(volume, ref, object.precondition, call, () =>
    replaceDescription(volume, ref, source, { description, keepsTags, checksum: object.checksum }, call),
  )
  return {
    etag: source.head.etag,
    lastModifiedMs: source.head.lastModifiedMs,
    checksum,
    sourceVersionId: source.head.versionId,
    versionId: source.head.versionId,
  }
}
