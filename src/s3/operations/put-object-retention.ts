import { heldTerm } from '../../backend/retention.ts'
import { onObject } from '../access-rules.ts'
import { BYPASS, mayBypass, wantsBypass } from '../bypass-governance.ts'
import {
  checkReplacement,
  parseRetention,
  requireLockable,
  storeRetention,
} from '../object-lock.ts'
import { document, label, operation, query } from '../operation.ts'
import { parseVersionId } from '../version-id.ts'

export const PutObjectRetention = operation(
  {
    name: 'PutObjectRetention',
    http: { method: 'PUT', target: 'object', query: 'retention' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      retention: document('Retention', parseRetention, { checksumRequired: true }),
      versionId: query('versionId', parseVersionId),
    },
  },
  {
    access: { rights: [...onObject('s3:PutObjectRetention', 'WRITE').rights, BYPASS] },
    async handle({ bucket, key, versionId, retention }, context) {
      const { backend, call } = context
      const ref = { bucket, key, versionId }
      const lock = await requireLockable(ref, backend, call)
      const byRight = wantsBypass(context)
      const isChange = byRight && retention.mode === 'COMPLIANCE'
      const byPolicy = isChange && (await mayBypass(ref, context))
      const decide = (stored: Buffer | undefined): string => {
        checkReplacement(heldTerm(stored, lock, Date.now()), retention, { byRight, byPolicy })
        return storeRetention(retention)
      }
      await backend.putObjectSubresource(ref, 'object-retention', decide, call)
      return { status: 200 }
    },
  },
)
