import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3Error } from '../../../s3/errors.ts'
import type { NewUpload, ObjectRef } from '../../backend.ts'
import {
  ATTRIBUTE,
  checksumsAttribute,
  describingAttributes,
  type Attribute,
} from '../attributes.ts'
import { failureOf } from '../errors.ts'
import { keyPath } from '../paths.ts'
import type { Task } from '../task.ts'
import { uploadsOfKey } from './upload-dir.ts'
import { writeCreator } from './upload-link.ts'

const UPLOAD_DIR_MODE = 0o755
const MAX_TRIES = 10

/** Makes the upload's directory and hangs on it what the finished object will say of itself. */
export async function createUpload(
  task: Task<ObjectRef>,
  upload: NewUpload,
): Promise<{ uploadId: string }> {
  if (keyPath(task.subject.key).isDirectory) throw new S3Error('DirectoryObjectContainsData')
  const attributes: Attribute[] = describingAttributes(upload)
  if (upload.checksum !== undefined) {
    attributes.push(checksumsAttribute(upload.checksum.algorithm, upload.checksum.type, undefined))
  }
  const uploadId = randomUUID()
  for (
    let tries = 1;
    !(await makeUploadDir(task, uploadId, attributes, tries < MAX_TRIES));
    tries++
  ) {
    await sleep(tries * Math.random())
  }
  return { uploadId }
}

/**
 * False where the key's directory, which goes with its last upload, or all that is in the bucket, which goes with it, was
 * removed by another request between two of our steps: then it is worth another try.
 */
async function makeUploadDir(
  task: Task<ObjectRef>,
  uploadId: string,
  attributes: readonly Attribute[],
  canRetry: boolean,
): Promise<boolean> {
  const { durable } = task.volume
  const { key } = task.subject
  const chain = task.begin()
  const { steps, bucket } = chain
  const uploads = steps.makeParents(bucket, uploadsOfKey(key), {
    mode: UPLOAD_DIR_MODE,
    sync: durable,
  })
  const named = steps.writeMetadata(uploads, [[ATTRIBUTE.objectName, key]])
  const made = steps.makeDir(uploads, uploadId, { mode: UPLOAD_DIR_MODE })
  const dir = steps.openDir(uploads, uploadId, { readable: true })
  steps.writeMetadata(dir, attributes)
  writeCreator(task, chain, dir)
  if (durable) {
    steps.sync(dir, 'dir')
    steps.sync(uploads, 'dir')
  }
  try {
    await steps.run()
    return true
  } catch (error) {
    const { step, errno } = failureOf(error)
    const isEarly = step === bucket || step === uploads || step === named || step === made
    if (!isEarly) await removeHalfMade(task, uploadId)
    if (canRetry && errno === constants.errno.ENOENT && step !== bucket) return false
    throw chain.toS3Error(error)
  }
}

async function removeHalfMade(task: Task<ObjectRef>, uploadId: string): Promise<void> {
  const chain = task.begin()
  const uploads = chain.steps.openDir(chain.bucket, uploadsOfKey(task.subject.key))
  chain.steps.remove(uploads, uploadId, { directory: true })
  await chain.attempt()
}
