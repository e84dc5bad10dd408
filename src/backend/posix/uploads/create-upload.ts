import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { IoError } from '../../../io/io-error.ts'
import { S3Error } from '../../../s3/errors.ts'
import type { Call, NewUpload, ObjectRef } from '../../backend.ts'
import { ATTRIBUTE, checksumsAttribute, describingAttributes, type Attribute } from '../attributes.ts'
import { Places } from '../errors.ts'
import { keyPath } from '../paths.ts'
import { openBucket, type Volume } from '../volume.ts'
import { newUploadId, uploadsOfKey } from './upload-dir.ts'

const UPLOAD_DIR_MODE = 0o755
const MAX_TRIES = 10

/** Makes the upload's directory and hangs on it what the finished object will say of itself. */
export async function createUpload(volume: Volume, ref: ObjectRef, upload: NewUpload, call: Call): Promise<{ uploadId: string }> {
  if (keyPath(ref.key).isDirectory) throw new S3Error('DirectoryObjectContainsData')
  const attributes: Attribute[] = describingAttributes(upload)
  if (upload.checksum !== undefined) {
    attributes.push(checksumsAttribute(upload.checksum.algorithm, upload.checksum.type, undefined))
  }
  const uploadId = newUploadId()
  for (let tries = 1; ; tries++) {
    try {
      await makeUploadDir(volume, ref, uploadId, attributes, call)
      return { uploadId }
    } catch (error) {
      // The key's directory goes with its last upload: another request removed it between two of our steps.
      const isRace = error instanceof S3Error && isMissing(error.cause) && tries < MAX_TRIES
      if (!isRace) throw error
      await sleep(tries * Math.random())
    }
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof IoError && cause.errno === constants.errno.ENOENT && cause.syscall !== 'openat2'
}

async function makeUploadDir(volume: Volume, ref: ObjectRef, uploadId: string, attributes: readonly Attribute[], call: Call): Promise<void> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, ref.bucket, places)
  const uploads = chain.makeParents(bucket, uploadsOfKey(ref.key), { mode: UPLOAD_DIR_MODE, sync: volume.durable })
  chain.writeMetadata(uploads, [[ATTRIBUTE.objectName, ref.key]])
  const made = chain.makeDir(uploads, uploadId, { mode: UPLOAD_DIR_MODE })
  const dir = chain.openDir(uploads, uploadId, { readable: true })
  const described = chain.writeMetadata(dir, attributes)
  if (volume.durable) {
    chain.sync(dir, 'dir')
    chain.sync(uploads, 'dir')
  }
  try {
    await chain.run()
  } catch (error) {
    const isHalfMade = error instanceof IoError && error.step !== uploads && error.step !== made
    if (isHalfMade || (error instanceof IoError && error.step === described)) await removeHalfMade(volume, ref, uploadId, call)
    throw places.toS3Error(error, ref)
  }
}

async function removeHalfMade(volume: Volume, ref: ObjectRef, uploadId: string, call: Call): Promise<void> {
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, ref.bucket, new Places())
  const uploads = chain.openDir(bucket, uploadsOfKey(ref.key))
  chain.remove(uploads, uploadId, { directory: true })
  await chain.run().catch(() => undefined)
}
