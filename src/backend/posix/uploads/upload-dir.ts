import { randomUUID } from 'node:crypto'
import { S3Error } from '../../../s3/errors.ts'
import type { Chain, Step } from '../../../io/io.ts'
import type { Call, UploadRef } from '../../backend.ts'
import { ATTRIBUTE, decodeChecksums } from '../attributes.ts'
import { Places } from '../errors.ts'
import { TMP_DIR, keyHash } from '../paths.ts'
import { openBucket, type UploadChecksum, type Volume } from '../volume.ts'

/** Beneath the bucket. VersityGW's layout, so that either gateway can finish what the other began. */
export const MULTIPART_DIR = `${TMP_DIR}/multipart`

/** The directory that holds the uploads of a key. */
export function uploadsOfKey(key: string): string {
  return `${MULTIPART_DIR}/${keyHash(key)}`
}

export function newUploadId(): string {
  return randomUUID()
}

/** The directory of an upload; NoSuchUpload where the id is none that was ever given out: no path is built from it. */
export function uploadDir(upload: UploadRef): string {
  if (!isUploadId(upload.uploadId)) throw noSuchUpload(upload)
  return `${uploadsOfKey(upload.key)}/${upload.uploadId}`
}

export function isUploadId(text: string): boolean {
  return UUID.test(text)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function noSuchUpload(upload: UploadRef): S3Error {
  return new S3Error('NoSuchUpload', { UploadId: upload.uploadId })
}

/** Opens an upload's directory; ENOENT is NoSuchUpload. */
export function openUpload(chain: Chain, bucket: Step<number>, upload: UploadRef, places: Places): Step<number> {
  return places.mark('upload', chain.openDir(bucket, uploadDir(upload), { readable: true }))
}

const MAX_REMEMBERED = 10_000

/**
 * The checksum that an upload declared. It is fixed when the upload is created, so it is read once: whether the upload
 * still exists is found out by whoever opens its directory to put something in.
 */
export async function uploadChecksum(volume: Volume, upload: UploadRef, call: Call): Promise<UploadChecksum | undefined> {
  const id = `${upload.bucket}/${upload.key}/${upload.uploadId}`
  if (volume.uploads.has(id)) return volume.uploads.get(id)
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const dir = openUpload(chain, openBucket(chain, volume, upload.bucket, places), upload, places)
  const stored = chain.readMetadata(dir, [ATTRIBUTE.checksums])
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, upload)
  }
  const checksum = decodeChecksums(stored.value.get(ATTRIBUTE.checksums))
  if (volume.uploads.size >= MAX_REMEMBERED) volume.uploads.clear()
  volume.uploads.set(id, checksum)
  return checksum
}
