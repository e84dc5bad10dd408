import type { VersioningState } from '../../backend/versioning.ts'
import { readVersioning } from '../../backend/versioning.ts'
import { optional, xmlDocument } from '../../http/xml.ts'
import { onBucket } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { label, operation } from '../operation.ts'

export const GetBucketVersioning = operation(
  {
    name: 'GetBucketVersioning',
    http: { method: 'GET', target: 'bucket', query: 'versioning' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketVersioning', 'READ'),
    async handle({ bucket }, { backend, call, settings }) {
      const stored = await backend.getBucketSubresource(bucket, 'versioning', call)
      if (!settings.versioningEnabled) throw new S3Error('VersioningNotConfigured')
      return { status: 200, body: renderVersioning(readVersioning(stored)) }
    },
  },
)

/** Of a bucket that never had versioning nothing is said. */
export function renderVersioning(state: VersioningState): string {
  return xmlDocument('VersioningConfiguration', optional('Status', state))
}
