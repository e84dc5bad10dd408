import { S3Error } from '../../../s3/errors.ts'
import type { Step } from '../../../io/io.ts'
import type { UploadRef } from '../../backend.ts'
import { ATTRIBUTE, decodeChecksums } from '../attributes.ts'
import { TMP_DIR, keyHash } from '../paths.ts'
import type { BucketChain, Task } from '../task.ts'
import type { KnownUpload, UploadChecksum } from '../volume.ts'
import { linkToCreator, readCreator } from './upload-link.ts'

/** Beneath the bucket. VersityGW's layout, so that either gateway can finish what the other began. */
export const MULTIPART_DIR = `${TMP_DIR}/multipart`

/** The directory that holds the uploads of a key. */
export function uploadsOfKey(key: string): string {
  return `${MULTIPART_DIR}/${keyHash(key)}`
}

/** The directory of an upload; NoSuchUpload where the id is none that was ever given out: no path is built from it. */
export function uploadDir(upload: UploadRef): string {
  checkUploadId(upload.uploadId)
  return `${uploadsOfKey(upload.key)}/${upload.uploadId}`
}

export function checkUploadId(uploadId: string): void {
  if (!isUploadId(uploadId)) throw noSuchUpload(uploadId)
}

export function isUploadId(text: string): boolean {
  return UUID.test(text)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function noSuchUpload(uploadId: string): S3Error {
  return new S3Error('NoSuchUpload', { UploadId: uploadId })
}

/** Begins a chain in an upload's directory. */
export function beginUpload(task: Task<UploadRef>): { chain: BucketChain; dir: Step<number> } {
  const path = uploadDir(task.subject)
  const chain = task.begin()
  return {
    chain,
    dir: chain.at('upload', chain.steps.openDir(chain.bucket, path, { readable: true })),
  }
}

const MAX_REMEMBERED = 10_000

/**
 * The checksum that an upload declared; and the request's trace is linked to the upload's creation. Both are fixed when the
 * upload is created, so they are read once: whether the upload still exists is found out by whoever opens its directory to
 * put something in.
 */
export async function uploadChecksum(task: Task<UploadRef>): Promise<UploadChecksum | undefined> {
  const { uploads } = task.volume
  const { bucket, key, uploadId } = task.subject
  const id = `${bucket}/${key}/${uploadId}`
  const known = uploads.get(id) ?? (await readUpload(task))
  linkToCreator(task, known.creator)
  if (!uploads.has(id)) {
    if (uploads.size >= MAX_REMEMBERED) uploads.clear()
    uploads.set(id, known)
  }
  return known.checksum
}

async function readUpload(task: Task<UploadRef>): Promise<KnownUpload> {
  const { chain, dir } = beginUpload(task)
  const names = [ATTRIBUTE.checksums, ATTRIBUTE.createdBy]
  const stored = chain.steps.readMetadata(dir, names)
  await chain.run()
  return {
    checksum: decodeChecksums(stored.value.get(ATTRIBUTE.checksums)),
    creator: readCreator(stored.value.get(ATTRIBUTE.createdBy)),
  }
}
