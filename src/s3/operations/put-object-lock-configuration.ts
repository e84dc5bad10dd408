import { onBucket } from '../access-rules.ts'
import { parseBucketLock, storeBucketLock } from '../bucket-lock.ts'
import { S3Error } from '../errors.ts'
import { document, label, operation } from '../operation.ts'

export const PutObjectLockConfiguration = operation(
  {
    name: 'PutObjectLockConfiguration',
    http: { method: 'PUT', target: 'bucket', query: 'object-lock' },
    input: {
      bucket: label('bucket'),
      lock: document('ObjectLockConfiguration', parseBucketLock, {
        required: true,
        checksumRequired: true,
      }),
    },
  },
  {
    access: onBucket('s3:PutBucketObjectLockConfiguration', 'WRITE'),
    async handle({ bucket, lock }, { backend, call, settings }) {
      // Where there is no place for versions, no bucket can have them.
      if (settings.versioningEnabled) {
        const versioning = await backend.getBucketSubresource(bucket, 'versioning', call)
        if (versioning?.[0] !== 1) throw notVersioned()
      }
      const createdAt = lock.defaultRetention === undefined ? undefined : new Date()
      const value = storeBucketLock(lock, createdAt)
      await backend.putBucketSubresource(bucket, 'bucket-lock', value, call)
      return { status: 200 }
    },
  },
)

function notVersioned(): S3Error {
  const message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
  return new S3Error('InvalidBucketState', {}, { status: 409, message })
}
