import { constants } from 'node:os'
import { IoError } from '../../../io/io-error.ts'
import { preconditionFailed } from '../../../s3/conditions.ts'
import type { Call, UploadRef } from '../../backend.ts'
import { Places } from '../errors.ts'
import { openBucket, type Volume } from '../volume.ts'
import { addRemoval } from './claim.ts'
import { isUploadId, noSuchUpload, openUpload } from './upload-dir.ts'

export async function abortUpload(volume: Volume, upload: UploadRef, ifInitiatedAt: Date | undefined, call: Call): Promise<void> {
  if (!isUploadId(upload.uploadId)) throw noSuchUpload(upload)
  if (ifInitiatedAt !== undefined) await checkInitiated(volume, upload, ifInitiatedAt, call)
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, upload.bucket, places)
  const { uploads, removed } = addRemoval(chain, bucket, upload, upload.uploadId)
  try {
    await chain.run()
  } catch (error) {
    const isMissing = error instanceof IoError && error.errno === constants.errno.ENOENT
    if (isMissing && (error.step === uploads || error.step === removed)) throw noSuchUpload(upload)
    throw places.toS3Error(error, upload)
  }
}

async function checkInitiated(volume: Volume, upload: UploadRef, expected: Date, call: Call): Promise<void> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const stat = chain.stat(openUpload(chain, openBucket(chain, volume, upload.bucket, places), upload, places))
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, upload)
  }
  if (stat.value.mtimeSec !== Math.floor(expected.getTime() / 1000)) throw preconditionFailed('If-Match-Initiated-Time')
}
