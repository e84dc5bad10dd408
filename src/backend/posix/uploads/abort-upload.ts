import { constants } from 'node:os'
import { preconditionFailed } from '../../../s3/conditions.ts'
import type { UploadRef } from '../../backend.ts'
import { failureOf } from '../errors.ts'
import type { Task } from '../task.ts'
import { addRemoval } from './claim.ts'
import { beginUpload, checkUploadId, noSuchUpload } from './upload-dir.ts'

export async function abortUpload(
  task: Task<UploadRef>,
  ifInitiatedAt: Date | undefined,
): Promise<void> {
  const { key, uploadId } = task.subject
  checkUploadId(uploadId)
  if (ifInitiatedAt !== undefined) await checkInitiated(task, ifInitiatedAt)
  const chain = task.begin()
  const removal = addRemoval(chain, key, uploadId)
  try {
    await chain.steps.run()
  } catch (error) {
    const { step, errno } = failureOf(error)
    const isMissing =
      errno === constants.errno.ENOENT && removal.some((removing) => removing === step)
    throw isMissing ? noSuchUpload(uploadId) : chain.toS3Error(error)
  }
}

async function checkInitiated(task: Task<UploadRef>, expected: Date): Promise<void> {
  const { chain, dir } = beginUpload(task)
  const stat = chain.steps.stat(dir)
  await chain.run()
  if (stat.value.mtimeSec !== Math.floor(expected.getTime() / 1000)) {
    throw preconditionFailed('If-Match-Initiated-Time')
  }
}
