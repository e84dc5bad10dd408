import { readRetention } from '../../backend/retention.ts'
import { XML_DECLARATION, element, wrap } from '../../http/xml.ts'
import type { ObjectRetention } from '../../backend/backend.ts'
import { onObject } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { isLockable, missingLockConfiguration } from '../object-lock.ts'
import { label, operation, query } from '../operation.ts'
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
    async handle({ bucket, key, versionId }, { backend, call }) {
      const stored = await backend.getObjectSubresource(
        { bucket, key, versionId },
        'object-retention',
        call,
      )
      if (!(await isLockable(bucket, backend, call))) throw missingLockConfiguration('call')
      const retention = readRetention(stored)
      if (retention === undefined) throw new S3Error('NoSuchObjectLockConfiguration')
      return { status: 200, body: renderRetention(retention) }
    },
  },
)

/** By S3's name for the root, without which mc and minio-go read nothing; VersityGW calls it `ObjectLockRetention`. */
function renderRetention({ mode, retainUntil }: ObjectRetention): string {
  const content = element('Mode', mode) + element('RetainUntilDate', retainUntil)
  return XML_DECLARATION + wrap('Retention', content)
}
