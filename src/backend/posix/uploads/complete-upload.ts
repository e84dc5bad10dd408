import type { Hasher } from '../../../io/io.ts'
import type { Checksum, CompletedUpload, Completion, ObjectHead, UploadRef } from '../../backend.ts'
import {
  ATTRIBUTE,
  checksumsAttribute,
  decodeChecksums,
  decodeMultipart,
  encodeMultipart,
  etagAttribute,
  hashKindOf,
  isComputable,
  type Attribute,
} from '../attributes.ts'
import { currentObject } from '../get-object.ts'
import type { StoredAttributes } from '../head.ts'
import { withPassingLock } from '../locks.ts'
import { objectFacts, objectTarget } from '../object-target.ts'
import { checkPrecondition, withPrecondition } from '../preconditions.ts'
import { publish } from '../publish.ts'
import type { Task } from '../task.ts'
import { filledFrom, type TemporaryFile } from '../temporary-file.ts'
import type { UploadChecksum } from '../volume.ts'
import { assembleParts } from './assemble.ts'
import {
  PART_ATTRIBUTES,
  checkChecksumType,
  checkObjectChecksum,
  checkObjectSize,
  checkParts,
  completedEtag,
  completionToken,
  objectAlgorithm,
  type StoredPart,
} from './check-parts.ts'
import {
  claimUpload,
  lockOfUpload,
  releaseClaim,
  removeClaimed,
  removeUnusedKey,
  type Claim,
} from './claim.ts'
import { combineChecksums } from './object-checksum.ts'
import { findParts, withObjectFile, type Slots } from './slotted-upload.ts'
import { checkUploadId, noSuchUpload, uploadsOfKey } from './upload-dir.ts'
import { linkToCreator, readCreator } from './upload-link.ts'

/**
 * Makes one object of an upload's parts, once, however often and from wherever it is asked for.
 *
 * One completion at a time holds the upload's lock; it claims the upload by renaming its directory, and gives it back if it
 * fails, so that the client can try again. One that finds the upload gone answers as the first did, if the object under the
 * key came from this very upload.
 */
export async function completeUpload(
  task: Task<UploadRef>,
  completion: Completion,
): Promise<CompletedUpload> {
  const { uploadId } = task.subject
  checkUploadId(uploadId)
  return withPassingLock(task, lockOfUpload(uploadId), async () => {
    const claim = await claimUpload(task, completionToken(completion.parts))
    let completed =
      claim === undefined || claim.isLeftOver ? await earlierCompletion(task) : undefined
    if (claim === undefined) {
      if (completed === undefined) throw noSuchUpload(uploadId)
      await removeUnusedKey(task)
      return completed
    }
    try {
      completed ??= await completeClaimed(task, claim, completion)
    } catch (error) {
      await releaseClaim(task, claim)
      throw error
    }
    await removeClaimed(task, claim.name)
    return completed
  })
}

/** The answer to a client that asks again; undefined unless the object is the one that this upload became. */
async function earlierCompletion(task: Task<UploadRef>): Promise<CompletedUpload | undefined> {
  const object = await currentObject(task)
  const facts = decodeMultipart(object?.attributes.get(ATTRIBUTE.multipart))
  if (object === undefined || facts?.uploadId !== task.subject.uploadId) return undefined
  const { etag, checksum, versionId } = object.head
  return { etag, checksum: checksum && asChecksum(checksum), versionId }
}

function asChecksum({
  algorithm,
  type,
  value,
}: NonNullable<ObjectHead['checksum']>): Checksum | undefined {
  return isComputable(algorithm) ? { algorithm, type, value } : undefined
}

async function completeClaimed(
  task: Task<UploadRef>,
  claim: Claim,
  completion: Completion,
): Promise<CompletedUpload> {
  await checkPrecondition(task, completion.precondition)
  const stored = await readUpload(task, claim, completion)
  const { parts, declared } = stored
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  checkObjectSize(completion, size)
  const algorithm = objectAlgorithm(declared)
  const isComposite = declared?.type === 'COMPOSITE'
  const combined = await combineChecksums(task, { algorithm, isComposite, parts })
  if (combined !== undefined) checkObjectChecksum(completion, algorithm, combined.value)

  const target = objectTarget(task, completion)
  const facts = objectFacts(task)
  const wanted = { target, facts, size, preallocate: false }
  // Bytes that have to be hashed are read and written.
  const upload = combined === undefined ? { ...stored, slots: undefined } : stored
  return withObjectFile(task, wanted, upload, async (file, isAssembled) => {
    const checksum = combined ?? (await assembleHashed(task, stored, file, algorithm))
    if (combined === undefined) checkObjectChecksum(completion, algorithm, checksum.value)
    else if (!isAssembled)
      await assembleParts(task, { ...stored, file: file.fd, hasher: undefined })
    const etag = objectEtag(task, completion, checksum)
    const versionId = await withPrecondition(task, completion.precondition, (terms) =>
      publish(task, {
        target,
        terms,
        facts,
        bulk: true,
        ...objectAttributes(task, stored, etag, checksum),
        ...filledFrom(task, file, size),
      }),
    )
    return { etag: `"${etag}"`, checksum, versionId }
  })
}

/** Of the parts' MD5s where they have them, else, or with `--data-integrity-etag`, of the object's checksum. */
function objectEtag({ volume }: Task, { parts }: Completion, checksum: Checksum): string {
  const etag = volume.integrityEtags ? undefined : completedEtag(parts)
  return etag ?? `${checksum.algorithm}-${checksum.value}`
}

/** What there is to complete. */
interface StoredUpload {
  readonly directory: string
  readonly attributes: StoredAttributes
  readonly declared: UploadChecksum | undefined
  readonly parts: readonly StoredPart[]
  readonly slots: Slots | undefined
}

/** Reads the upload and its parts, and holds them against the client's list. */
async function readUpload(
  task: Task<UploadRef>,
  { name }: Claim,
  completion: Completion,
): Promise<StoredUpload> {
  const { key, uploadId } = task.subject
  const directory = `${uploadsOfKey(key)}/${name}`
  const numbers = completion.parts.map(({ partNumber }) => partNumber)
  const chain = task.begin()
  const { steps, bucket } = chain
  const dir = chain.at('upload', steps.openDir(bucket, directory, { readable: true }))
  const stored = steps.readMetadata(dir)
  const files = steps.statBatch(dir, numbers.map(String), PART_ATTRIBUTES)
  await chain.run()
  const attributes = stored.value
  linkToCreator(task, readCreator(attributes.get(ATTRIBUTE.createdBy)))
  const declared = decodeChecksums(attributes.get(ATTRIBUTE.checksums))
  checkChecksumType(completion, declared)
  const { found, slots } = await findParts(task, directory, files.value, numbers)
  const checked = checkParts(uploadId, completion, found, declared)
  const parts = checked.map((part, i): StoredPart => {
    const isInSlot = slots !== undefined && found[i] !== files.value[i]
    return isInSlot ? { ...part, slot: (part.partNumber - 1) * slots.size } : part
  })
  return { directory, attributes, declared, parts, slots }
}

/** Assembles parts that lack checksums (older data), and computes the object's from its bytes. */
async function assembleHashed(
  task: Task<UploadRef>,
  stored: StoredUpload,
  file: TemporaryFile,
  algorithm: Checksum['algorithm'],
): Promise<Checksum> {
  const kind = hashKindOf(algorithm)
  const hasher: Hasher = task.volume.io.hasher([kind])
  try {
    await assembleParts(task, { ...stored, file: file.fd, hasher })
    const chain = task.chain({ record: false })
    const digest = chain.digest(hasher, kind)
    await chain.run()
    return { algorithm, type: 'FULL_OBJECT', value: digest.value.toString('base64') }
  } finally {
    hasher.free()
  }
}

/** What the finished object says of itself: all that the upload's directory says but what is the upload's own. */
function objectAttributes(
  task: Task<UploadRef>,
  { attributes, parts }: StoredUpload,
  etag: string,
  checksum: Checksum,
): { attributes: Attribute[]; optionalAttributes: Attribute[] } {
  const { uploadId } = task.subject
  let end = 0
  const ends = parts.map(({ size }) => (end += size))
  const multipart = (known: readonly number[]): Attribute => [
    ATTRIBUTE.multipart,
    encodeMultipart({ uploadId, parts: known }),
  ]
  return {
    attributes: [
      ...[...attributes].filter(([name]) => !UPLOADS_OWN.has(name)),
      etagAttribute(etag),
      checksumsAttribute(checksum.algorithm, checksum.type, checksum.value),
      // The upload's id alone always finds room; where parts end may be more than ext4 stores with a file (4 KiB in all).
      multipart([]),
    ],
    optionalAttributes: [multipart(ends)],
  }
}

const UPLOADS_OWN = new Set<string>([
  ATTRIBUTE.checksums,
  ATTRIBUTE.etag,
  ATTRIBUTE.objectName,
  ATTRIBUTE.multipart,
  ATTRIBUTE.createdBy,
])
