import { readRetention } from '../../backend/retention.ts'
import { XML_DECLARATION, element, wrap } from '../../http/xml.ts'
import type { ObjectRetention } from '../../backend/backend.ts'
import { onObject } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { isLockable, missingLockConfiguration } from '../object-lock.ts'
import { label, operation, query, type S3Settings } from '../operation.ts'
import { parseVersionId } from '../version-id.ts'

export const GetObjectRetention = operation(
  {
    name: 'GetObjectRetention',
    http: { method: 'GET', target: 'object', query: 'retention' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      versionId: query('versionId', parseVersionId),
    },
  },
  {
    access: onObject('s3:GetObjectRetention', 'READ'),
    async handle({ bucket, key, versionId }, { backend, call, settings }) {
      const stored = await backend.getObjectSubresource(
        { bucket, key, versionId },
        'object-retention',
        call,
      )
      if (!(await isLockable(bucket, backend, call))) throw missingLockConfiguration('call')
      const retention = readRetention(stored)
      if (retention === undefined) throw new S3Error('NoSuchObjectLockConfiguration')
      return { status: 200, body: renderRetention(retention, settings.dialect) }
    },
  },
)

/** VersityGW's clients know the root by its own name; mc and minio-go read S3's only. */
function renderRetention(
  { mode, retainUntil }: ObjectRetention,
  dialect: S3Settings['dialect'],
): string {
  const root = dialect === 'aws' ? 'Retention' : 'ObjectLockRetention'
  const content = element('Mode', mode) + element('RetainUntilDate', retainUntil)
  return XML_DECLARATION + wrap(root, content)
}
