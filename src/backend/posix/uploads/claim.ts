import { constants } from 'node:os'
import { IoError } from '../../../io/io-error.ts'
import type { Call, UploadRef } from '../../backend.ts'
import { Places } from '../errors.ts'
import { entryName } from '../packed-names.ts'
import { openBucket, type Volume } from '../volume.ts'
import { uploadsOfKey } from './upload-dir.ts'

const { EBUSY, EEXIST, ENOENT, ENOTEMPTY } = constants.errno

/** An upload whose directory has been renamed: nobody else can complete, abort or add to it. */
export interface Claim {
  readonly upload: UploadRef
  /** The directory's name while this completion owns it. */
  readonly name: string
  /** An earlier completion had claimed it and did not end: it may have got as far as publishing the object. */
  readonly isLeftOver: boolean
}

const CLAIMED = '.inprogress'

/**
 * Takes an upload for one completion by renaming its directory, which succeeds once; undefined where it is not there.
 *
 * Called under the upload's lock: a directory that is claimed already was left by a completion that died, and is taken over.
 */
export async function claimUpload(volume: Volume, upload: UploadRef, token: string, call: Call): Promise<Claim | undefined> {
  const name = `${upload.uploadId}.${token}${CLAIMED}`
  if (await renameUpload(volume, upload, upload.uploadId, name, call)) return { upload, name, isLeftOver: false }
  const left = await findClaimed(volume, upload, call)
  if (left === undefined) return undefined
  if (left !== name && !(await renameUpload(volume, upload, left, name, call))) return undefined
  return { upload, name, isLeftOver: true }
}

/** Gives the upload back, so that the client can try again. */
export async function releaseClaim(volume: Volume, { upload, name }: Claim, call: Call): Promise<void> {
  await renameUpload(volume, upload, name, upload.uploadId, call).catch(() => undefined)
}

/** False where there is no such upload. */
async function renameUpload(volume: Volume, upload: UploadRef, from: string, to: string, call: Call): Promise<boolean> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, upload.bucket, places)
  const uploads = chain.openDir(bucket, uploadsOfKey(upload.key))
  const renamed = chain.rename(uploads, from, uploads, to)
  try {
    await chain.run()
    return true
  } catch (error) {
    const isMissing = error instanceof IoError && error.errno === ENOENT && [uploads, renamed].some((step) => step === error.step)
    if (isMissing) return false
    throw places.toS3Error(error, upload)
  }
}

/** What a completion of this upload that did not end has left. */
async function findClaimed(volume: Volume, upload: UploadRef, call: Call): Promise<string | undefined> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, upload.bucket, places)
  const uploads = chain.openDir(bucket, uploadsOfKey(upload.key), { readable: true, tolerate: [ENOENT] })
  const list = chain.listDir(uploads)
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, upload)
  }
  if (uploads.errno !== 0) return undefined
  for (let i = 0; i < list.value.count; i++) {
    const name = entryName(list.value, i)
    if (name?.startsWith(`${upload.uploadId}.`) && name.endsWith(CLAIMED)) return name
  }
  return undefined
}

/**
 * Removes an upload's directory and, if it was the key's last upload, the directory above. What cannot be removed is litter
 * that no request sees; the answer does not depend on it.
 */
export async function removeUpload(volume: Volume, upload: UploadRef, name: string, call: Call): Promise<void> {
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, upload.bucket, new Places())
  addRemoval(chain, bucket, upload, name)
  await chain.run().catch(() => undefined)
}

/** The steps that remove an upload; `removed` is the one that fails where there is none. */
export function addRemoval(
  chain: ReturnType<Volume['io']['chain']>,
  bucket: ReturnType<typeof openBucket>,
  upload: UploadRef,
  name: string,
): { uploads: ReturnType<typeof openBucket>; removed: ReturnType<typeof openBucket> } {
  const path = uploadsOfKey(upload.key)
  const slash = path.lastIndexOf('/')
  const uploads = chain.openDir(bucket, path)
  const removed = chain.removeTree(uploads, name)
  const multipart = chain.openDir(bucket, path.slice(0, slash))
  chain.remove(multipart, path.slice(slash + 1), { directory: true, tolerate: [ENOTEMPTY, EEXIST, ENOENT, EBUSY] })
  return { uploads, removed }
}
