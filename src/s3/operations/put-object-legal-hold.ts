import { onObject } from '../access-rules.ts'
import { parseLegalHold, requireLockable, storeLegalHold } from '../object-lock.ts'
import { document, label, operation, query } from '../operation.ts'
import { parseVersionId } from '../version-id.ts'

export const PutObjectLegalHold = operation(
  {
    name: 'PutObjectLegalHold',
    http: { method: 'PUT', target: 'object', query: 'legal-hold' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      isOn: document('LegalHold', parseLegalHold, { checksumRequired: true }),
      versionId: query('versionId', parseVersionId),
    },
  },
  {
    access: onObject('s3:PutObjectLegalHold', 'WRITE'),
    async handle({ bucket, key, versionId, isOn }, { backend, call }) {
      const ref = { bucket, key, versionId }
      await requireLockable(ref, backend, call)
      await backend.putObjectSubresource(ref, 'object-legal-hold', storeLegalHold(isOn), call)
      return { status: 200 }
    },
  },
)
