import { element, xmlDocument } from '../../http/xml.ts'
import { onObject } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { isLockable, missingLockConfiguration } from '../object-lock.ts'
import { label, operation, query } from '../operation.ts'
import { parseVersionId } from '../version-id.ts'

export const GetObjectLegalHold = operation(
  {
    name: 'GetObjectLegalHold',
    http: { method: 'GET', target: 'object', query: 'legal-hold' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      versionId: query('versionId', parseVersionId),
    },
  },
  {
    access: onObject('s3:GetObjectLegalHold', 'READ'),
    async handle({ bucket, key, versionId }, { backend, call }) {
      const stored = await backend.getObjectSubresource(
        { bucket, key, versionId },
        'object-legal-hold',
        call,
      )
      if (!(await isLockable(bucket, backend, call))) throw missingLockConfiguration('call')
      if (stored === undefined) throw new S3Error('NoSuchObjectLockConfiguration')
      return { status: 200, body: renderLegalHold(stored[0] === 1) }
    },
  },
)

function renderLegalHold(isOn: boolean): string {
  return xmlDocument('LegalHold', element('Status', isOn ? 'ON' : 'OFF'))
}
