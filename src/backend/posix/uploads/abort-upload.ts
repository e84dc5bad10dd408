import { constants } from 'node:os'
import { preconditionFailed } from '../../../s3/conditions.ts'
import type { UploadRef } from '../../backend.ts'
import { failureOf } from '../errors.ts'
import type { Task } from '../task.ts'
import { withPassingLock } from '../locks.ts'
import { addRemoval, findClaimed, lockOfUpload, removeClaimed } from './claim.ts'
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
    if (!isMissing) throw chain.toS3Error(error)
    await abortLeftOver(task)
  }
}

/** What a completion that died has left can be aborted, too; one that still runs is waited for. */
async function abortLeftOver(task: Task<UploadRef>): Promise<void> {
  const { uploadId } = task.subject
  await withPassingLock(task, lockOfUpload(uploadId), async () => {
    const name = await findClaimed(task)
    if (name === undefined) throw noSuchUpload(uploadId)
    await removeClaimed(task, name)
  })
}

async function checkInitiated(task: Task<UploadRef>, expected: Date): Promise<void> {
  const { chain, dir } = beginUpload(task)
  const stat = chain.steps.stat(dir)
  await chain.run()
  if (stat.value.mtimeSec !== Math.floor(expected.getTime() / 1000)) {
    throw preconditionFailed('If-Match-Initiated-Time')
  }
}
