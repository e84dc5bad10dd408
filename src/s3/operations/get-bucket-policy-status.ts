import { parsePolicy } from '../../auth/policy/parse.ts'
import { isPublicPolicy } from '../../auth/policy/public.ts'
import { element, wrap, XML_DECLARATION } from '../../http/xml.ts'
import { onBucket } from '../access-rules.ts'
import { label, operation } from '../operation.ts'
import { readStoredPolicy } from './get-bucket-policy.ts'

export const GetBucketPolicyStatus = operation(
  {
    name: 'GetBucketPolicyStatus',
    http: { method: 'GET', target: 'bucket', query: 'policyStatus' },
    input: { bucket: label('bucket') },
  },
  {
    access: onBucket('s3:GetBucketPolicyStatus', 'READ'),
    async handle({ bucket }, context) {
      // A stored document that cannot be read is told as such (400 MalformedPolicy), as VersityGW does.
      const isPublic = isPublicPolicy(parsePolicy(await readStoredPolicy(bucket, context)))
      return { status: 200, body: renderPolicyStatus(isPublic) }
    },
  },
)

export function renderPolicyStatus(isPublic: boolean): string {
  return XML_DECLARATION + wrap('PolicyStatus', element('IsPublic', isPublic))
}
