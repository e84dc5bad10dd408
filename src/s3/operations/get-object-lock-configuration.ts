import { readBucketLock, type BucketLock } from '../../backend/bucket-lock.ts'
import { XML_DECLARATION, element, optional, wrap } from '../../http/xml.ts'
import { onBucket } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { label, operation } from '../operation.ts'

export const GetObjectLockConfiguration = operation(
  {
    name: 'GetObjectLockConfiguration',
    http: { method: 'GET', target: 'bucket', query: 'object-lock' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketObjectLockConfiguration', 'READ'),
    async handle({ bucket }, { backend, call }) {
      const lock = readBucketLock(await backend.getBucketSubresource(bucket, 'bucket-lock', call))
      if (lock === undefined)
        throw new S3Error('ObjectLockConfigurationNotFoundError', { BucketName: bucket })
      return { status: 200, body: renderLock(lock) }
    },
  },
)

/** Without default retention there is an empty rule. */
function renderLock({ enabled, defaultRetention }: BucketLock): string {
  const retention =
    defaultRetention === undefined
      ? ''
      : wrap(
          'DefaultRetention',
          optional('Days', defaultRetention.days) +
            element('Mode', defaultRetention.mode) +
            optional('Years', defaultRetention.years),
        )
  const content = element('ObjectLockEnabled', enabled ? 'Enabled' : '') + wrap('Rule', retention)
  return XML_DECLARATION + wrap('ObjectLockConfiguration', content)
}
