import { decide, decideByCaller } from '../auth/access/decide.ts'
import type { ObjectRef } from '../backend/backend.ts'
import { isOn, type NeededRight } from './access-rules.ts'
import { loadBucketAccess } from './bucket-access.ts'
import type { OperationContext } from './operation.ts'

const HEADER = 'x-amz-bypass-governance-retention'
const ACTION = 's3:BypassGovernanceRetention'

/** What a request that wants to go past GOVERNANCE has to be allowed. */
export const BYPASS: NeededRight = {
  action: ACTION,
  permission: 'WRITE',
  on: 'object',
  withSwitch: HEADER,
}

/** Whether it wants to; then it may, unless more is needed than the right. */
export function wantsBypass({ request }: Pick<OperationContext, 'request'>): boolean {
  return isOn(request, HEADER)
}

/**
 * Whether the caller is let past GOVERNANCE: by the bucket's policy itself, without which nobody is let, root included
 * (contract 4.7). In S3's dialect the right to do it is enough, as everywhere.
 */
export async function mayBypass(
  { bucket, key }: ObjectRef,
  context: OperationContext,
): Promise<boolean> {
  const { caller, settings } = context
  const isAws = settings.dialect === 'aws'
  if (isAws && decideByCaller(true, caller, settings)?.allowed === true) return true
  const resource = { bucket, key, versionId: undefined }
  const access = await loadBucketAccess(resource, context, context)
  const right = { action: ACTION, permission: 'WRITE', bucket, key } as const
  return isAws
    ? decide(right, caller, access, settings).allowed
    : access.policy?.(right, caller.accessKey)?.effect === 'allow'
}
