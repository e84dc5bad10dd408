import { heldTerm } from '../../backend/retention.ts'
import { onObject } from '../access-rules.ts'
import { BYPASS, mayBypass, wantsBypass } from '../bypass-governance.ts'
import {
  checkRemoval,
  checkReplacement,
  parseRetention,
  refuseEmptyRetention,
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
      const { backend, call, settings } = context
      if (retention === undefined && settings.dialect === 'versitygw') refuseEmptyRetention()
      const ref = { bucket, key, versionId }
      const lock = await requireLockable(ref, backend, call)
      const byRight = wantsBypass(context)
      const isChange = byRight && retention?.mode !== 'GOVERNANCE'
      const byPolicy = isChange && (await mayBypass(ref, context))
      const decide = (stored: Buffer | undefined): string | undefined => {
        const held = heldTerm(stored, lock, Date.now())
        if (retention === undefined) {
          checkRemoval(held, byPolicy)
          return undefined
        }
        checkReplacement(held, retention, { byRight, byPolicy })
        return storeRetention(retention)
      }
      await backend.putObjectSubresource(ref, 'object-retention', decide, call)
      return { status: 200 }
    },
  },
)
