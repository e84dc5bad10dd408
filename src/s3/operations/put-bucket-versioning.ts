import { storeVersioning } from '../../backend/versioning.ts'
import { childText, type XmlElement } from '../../http/xml-reader.ts'
import { onBucket } from '../access-rules.ts'
import { readBucketLock } from '../../backend/bucket-lock.ts'
import { S3Error } from '../errors.ts'
import { document, label, operation } from '../operation.ts'

export const PutBucketVersioning = operation(
  {
    name: 'PutBucketVersioning',
    http: { method: 'PUT', target: 'bucket', query: 'versioning' },
    input: {
      bucket: label('bucket'),
      status: document('VersioningConfiguration', parseStatus, { required: true }),
    },
  },
  {
    access: onBucket('s3:PutBucketVersioning', 'WRITE'),
    async handle({ bucket, status }, { backend, call, settings }) {
      const stored = await backend.getBucketSubresource(bucket, 'bucket-lock', call)
      if (!settings.versioningEnabled) throw new S3Error('VersioningNotConfigured')
      // What can be overwritten cannot be locked.
      if (status === 'Suspended' && readBucketLock(stored)?.enabled === true)
        throw new S3Error('InvalidBucketState', {}, settings.dialect === 'aws' ? CONFLICT : {})
      await backend.putBucketSubresource(bucket, 'versioning', storeVersioning(status), call)
      return { status: 200 }
    },
  },
)

const CONFLICT = { status: 409 }

/** Deleting versions with a second factor is asked for beside the status; there is none here, so it says nothing. */
function parseStatus(root: XmlElement | undefined): 'Enabled' | 'Suspended' {
  const status = childText(root, 'Status')
  if (status === 'Enabled' || status === 'Suspended') return status
  throw new S3Error('MalformedXML')
}
