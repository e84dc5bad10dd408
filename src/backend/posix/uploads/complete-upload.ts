import { S3Error } from '../../../s3/errors.ts'
import type { Call, Checksum, CompletedUpload, Completion, ObjectHead, UploadRef } from '../../backend.ts'
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
import { Places } from '../errors.ts'
import type { StoredAttributes } from '../head.ts'
import { withPassingLock } from '../locks.ts'
import { keyPath } from '../paths.ts'
import { checkPrecondition, currentObject, withPrecondition } from '../preconditions.ts'
import { publish } from '../publish.ts'
import { objectFacts, objectTarget } from '../put-object.ts'
import { filledFrom, withTemporaryFile } from '../temporary-file.ts'
import { openBucket, type UploadChecksum, type Volume } from '../volume.ts'
import { assembleParts } from './assemble.ts'
import {
  PART_ATTRIBUTES,
  checkChecksumType,
  checkObjectChecksum,
  checkObjectSize,
  checkParts,
  completedEtag,
  objectAlgorithm,
  type StoredPart,
} from './check-parts.ts'
import { claimUpload, releaseClaim, removeUpload, type Claim } from './claim.ts'
import { combineChecksums } from './object-checksum.ts'
import { isUploadId, noSuchUpload, uploadsOfKey } from './upload-dir.ts'

/** Stands in for the ETag in the claim's name where the client's list cannot have one. */
const NO_ETAG = 'invalid'

/**
 * Makes one object of an upload's parts, once, however often and from wherever it is asked for.
 *
 * One completion at a time holds the upload's lock; it claims the upload by renaming its directory, and gives it back if it
 * fails, so that the client can try again. One that finds the upload gone answers as the first did, if the object under the
 * key came from this very upload.
 */
export async function completeUpload(
  volume: Volume,
  upload: UploadRef,
  completion: Completion,
  call: Call,
): Promise<CompletedUpload> {
  if (!isUploadId(upload.uploadId)) throw noSuchUpload(upload)
  const etag = completedEtag(completion.parts)
  return withPassingLock(volume, upload.bucket, `upload-${upload.uploadId}`, call, async () => {
    const claim = await claimUpload(volume, upload, etag ?? NO_ETAG, call)
    if (claim === undefined) {
      const earlier = await earlierCompletion(volume, upload, call)
      if (earlier === undefined) throw noSuchUpload(upload)
      return earlier
    }
    let completed = claim.isLeftOver ? await earlierCompletion(volume, upload, call) : undefined
    try {
      completed ??= await completeClaimed(volume, claim, completion, etag ?? NO_ETAG, call)
    } catch (error) {
      await releaseClaim(volume, claim, call)
      throw error
    }
    await removeUpload(volume, upload, claim.name, call)
    return completed
  })
}

/** The answer to a client that asks again; undefined unless the object is the one that this upload became. */
async function earlierCompletion(volume: Volume, upload: UploadRef, call: Call): Promise<CompletedUpload | undefined> {
  const object = await currentObject(volume, upload, call)
  const facts = decodeMultipart(object?.attributes.get(ATTRIBUTE.multipart))
  if (object === undefined || facts?.uploadId !== upload.uploadId) return undefined
  const { etag, checksum } = object.head
  return { etag, checksum: checksum && asChecksum(checksum), versionId: undefined }
}

function asChecksum({ algorithm, type, value }: NonNullable<ObjectHead['checksum']>): Checksum | undefined {
  return isComputable(algorithm) ? { algorithm, type, value } : undefined
}

/** What there is to complete. */
interface StoredUpload {
  readonly directory: string
  readonly attributes: StoredAttributes
  readonly checksum: UploadChecksum | undefined
  readonly parts: StoredPart[]
}

async function completeClaimed(
  volume: Volume,
  claim: Claim,
  completion: Completion,
  etag: string,
  call: Call,
): Promise<CompletedUpload> {
  const { upload } = claim
  const { precondition } = completion
  await checkPrecondition(volume, upload, precondition, call)
  const stored = await readUpload(volume, claim, completion, call)
  const { parts } = stored
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  checkObjectSize(completion, size)
  const algorithm = objectAlgorithm(stored.checksum)
  const combined = await combineChecksums(volume.io, upload.uploadId, algorithm, stored.checksum, parts, call)
  if (combined !== undefined) checkObjectChecksum(completion, algorithm, combined.value)

  const target = objectTarget(keyPath(upload.key), precondition.ifNoneMatch === undefined)
  const facts = objectFacts(upload)
  const checksum = await withTemporaryFile(volume, { subject: upload, target, facts, size, preallocate: false }, call, async (file) => {
    const hasher = combined === undefined ? volume.io.hasher([hashKindOf(algorithm)]) : undefined
    try {
      await assembleParts(volume, { subject: upload, directory: stored.directory, parts, file: file.fd, hasher }, call.span)
      const whole = combined ?? (await hashedChecksum(volume, algorithm, hasher, call))
      if (combined === undefined) checkObjectChecksum(completion, algorithm, whole.value)
      const ends = partEnds(parts)
      const attributes = [
        ...describing(stored.attributes),
        etagAttribute(etag),
        checksumsAttribute(algorithm, whole.type, whole.value),
        // The upload's id alone always finds room; where parts end may be more than the file system stores with a file.
        multipartAttribute(upload.uploadId, []),
      ]
      const optionalAttributes = [multipartAttribute(upload.uploadId, ends)]
      await withPrecondition(volume, upload, precondition, call, () =>
        publish(
          volume,
          { subject: upload, target, attributes, optionalAttributes, facts, bulk: true, ...filledFrom(volume, file, size) },
          call,
        ),
      )
      return whole
    } finally {
      hasher?.free()
    }
  })
  return { etag: `"${etag}"`, checksum, versionId: undefined }
}

/** Reads the upload and its parts, and holds them against the client's list. */
async function readUpload(volume: Volume, { upload, name }: Claim, completion: Completion, call: Call): Promise<StoredUpload> {
  const directory = `${uploadsOfKey(upload.key)}/${name}`
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, upload.bucket, places)
  const dir = places.mark('upload', chain.openDir(bucket, directory, { readable: true }))
  const attributes = chain.readMetadata(dir)
  const found = chain.statBatch(dir, completion.parts.map(({ partNumber }) => String(partNumber)), PART_ATTRIBUTES)
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, upload)
  }
  const checksum = decodeChecksums(attributes.value.get(ATTRIBUTE.checksums))
  checkChecksumType(completion, checksum)
  const parts = checkParts(upload.uploadId, completion, found.value, checksum)
  return { directory, attributes: attributes.value, checksum, parts }
}

async function hashedChecksum(
  volume: Volume,
  algorithm: Checksum['algorithm'],
  hasher: ReturnType<Volume['io']['hasher']> | undefined,
  call: Call,
): Promise<Checksum> {
  if (hasher === undefined) throw new S3Error('InternalError')
  const chain = volume.io.chain(call.span, { record: false })
  const digest = chain.digest(hasher, hashKindOf(algorithm))
  await chain.run()
  return { algorithm, type: 'FULL_OBJECT', value: digest.value.toString('base64') }
}

/** What the upload's directory says of the object to be: all but what is the upload's own. */
function describing(attributes: StoredAttributes): Attribute[] {
  return [...attributes].filter(([name]) => !UPLOADS_OWN.has(name))
}

const UPLOADS_OWN = new Set<string>([ATTRIBUTE.checksums, ATTRIBUTE.etag, ATTRIBUTE.objectName, ATTRIBUTE.multipart])

function multipartAttribute(uploadId: string, parts: readonly number[]): Attribute {
  return [ATTRIBUTE.multipart, encodeMultipart({ uploadId, parts })]
}

function partEnds(parts: readonly StoredPart[]): number[] {
  let end = 0
  return parts.map(({ size }) => (end += size))
}
