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

/** Whether the bucket's policy itself lets the caller: without a policy nobody is let, root included (contract 4.7). */
export async function policyLetsBypass(
  { bucket, key }: ObjectRef,
  context: OperationContext,
): Promise<boolean> {
  const resource = { bucket, key, versionId: undefined }
  const { policy } = await loadBucketAccess(resource, context, context)
  const right = { action: ACTION, permission: 'WRITE', bucket, key } as const
  return policy?.(right, context.caller.accessKey)?.effect === 'allow'
}
