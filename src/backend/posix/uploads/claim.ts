import { constants } from 'node:os'
import type { Step } from '../../../io/io.ts'
import type { UploadRef } from '../../backend.ts'
import { failureOf } from '../errors.ts'
import { directoryNames } from '../packed-names.ts'
import type { BucketChain, Task } from '../task.ts'
import { isUploadId, uploadsOfKey } from './upload-dir.ts'

const { EBUSY, EEXIST, ENOENT, ENOTEMPTY } = constants.errno

/** An upload whose directory has been renamed: nobody else can complete, abort or add to it. */
export interface Claim {
  /** The directory's name while this completion owns it. */
  readonly name: string
  /** An earlier completion had claimed it and did not end: it may have got as far as publishing the object. */
  readonly isLeftOver: boolean
}

const CLAIMED = '.inprogress'

/**
 * The upload whose directory has this name. One that a completion owns is in progress as well: should the completion die,
 * whoever asks what there is to abort must find it.
 */
export function uploadIdOf(name: string): string | undefined {
  const id = name.endsWith(CLAIMED) ? name.slice(0, name.indexOf('.')) : name
  return isUploadId(id) ? id : undefined
}

/** Held by whoever completes an upload. */
export function lockOfUpload(uploadId: string): string {
  return `upload-${uploadId}`
}

/**
 * Takes an upload for one completion by renaming its directory, which succeeds once; undefined where it is not there.
 *
 * Called under the upload's lock: a directory that is claimed already was left by a completion that died, and is taken over.
 */
export async function claimUpload(
  task: Task<UploadRef>,
  token: string,
): Promise<Claim | undefined> {
  const { uploadId } = task.subject
  const name = `${uploadId}.${token}${CLAIMED}`
  if (await renameUpload(task, uploadId, name)) return { name, isLeftOver: false }
  const left = await findClaimed(task)
  if (left === undefined) return undefined
  const isOurs = left === name || (await renameUpload(task, left, name))
  return isOurs ? { name, isLeftOver: true } : undefined
}

/** Gives the upload back, so that the client can try again. */
export async function releaseClaim(task: Task<UploadRef>, { name }: Claim): Promise<void> {
  await renameUpload(task, name, task.subject.uploadId).catch(() => undefined)
}

/** False where there is no such upload. */
async function renameUpload(task: Task<UploadRef>, from: string, to: string): Promise<boolean> {
  const chain = task.begin()
  const uploads = chain.steps.openDir(chain.bucket, uploadsOfKey(task.subject.key))
  const { bucket, key } = task.subject
  const renamed = chain.steps.rename(uploads, from, uploads, to, {
    attributes: {
      'posix.dir': `${bucket}/${uploadsOfKey(key)}`,
      'posix.bucket': bucket,
      'posix.object': key,
    },
  })
  try {
    await chain.steps.run()
    return true
  } catch (error) {
    const { step, errno } = failureOf(error)
    if (errno === ENOENT && (step === uploads || step === renamed)) return false
    throw chain.toS3Error(error)
  }
}

/** What a completion of this upload that did not end has left. */
export async function findClaimed(task: Task<UploadRef>): Promise<string | undefined> {
  const { key, uploadId } = task.subject
  const chain = task.begin()
  const options = { readable: true, tolerate: [ENOENT] }
  const uploads = chain.steps.openDir(chain.bucket, uploadsOfKey(key), options)
  const list = chain.steps.listDir(uploads)
  await chain.run()
  if (uploads.errno !== 0) return undefined
  return directoryNames(list.value).find(
    (name) => name.startsWith(`${uploadId}.`) && name.endsWith(CLAIMED),
  )
}

/**
 * Removes a claimed upload and, if it was the key's last, the directory above. What cannot be removed is litter that no
 * request sees; the answer does not depend on it.
 */
export async function removeClaimed(task: Task<UploadRef>, name: string): Promise<void> {
  const chain = task.begin()
  addRemoval(chain, task.subject.key, name)
  await chain.attempt()
}

/** Removes the directory of a key's uploads where it is empty: the completion that removed the last died before it could. */
export async function removeUnusedKey(task: Task<UploadRef>): Promise<void> {
  const chain = task.begin()
  addKeyRemoval(chain, task.subject.key)
  await chain.attempt()
}

/** The steps that remove an upload's directory; where there is none, one of those given back fails. */
export function addRemoval(
  chain: BucketChain,
  key: string,
  name: string,
): readonly Step<unknown>[] {
  const { steps, bucket } = chain
  const uploads = steps.openDir(bucket, uploadsOfKey(key))
  const removed = steps.removeTree(uploads, name)
  addKeyRemoval(chain, key)
  return [uploads, removed]
}

function addKeyRemoval({ steps, bucket }: BucketChain, key: string): void {
  const path = uploadsOfKey(key)
  const slash = path.lastIndexOf('/')
  const multipart = steps.openDir(bucket, path.slice(0, slash))
  const tolerate = [ENOTEMPTY, EEXIST, ENOENT, EBUSY]
  steps.remove(multipart, path.slice(slash + 1), { directory: true, tolerate })
}
