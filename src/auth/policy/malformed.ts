import { S3Error } from '../../s3/errors.ts'

/** Why a policy is refused. */
export const FAULT = {
  noObject: "Policies must be valid JSON and the first byte must be '{'",
  json: 'This policy contains invalid Json',
  noStatement: 'Missing required field Statement',
  emptyStatement: 'Could not parse the policy: Statement is empty!',
  version: 'The policy must contain a valid version string',
  principal: 'Invalid principal in policy',
  action: 'Policy has invalid action',
  resource: 'Policy has invalid resource',
  misfit: 'Action does not apply to any resource(s) in statement',
  // VersityGW has no words for these, because it does not look at them.
  conditionKey: 'Policy has an invalid condition key',
  conditionValue: 'Policy has an invalid condition value',
  size: 'Policy exceeds the maximum allowed document size.',
} as const

/** 400 MalformedPolicy. */
export function malformedPolicy(message: string, cause?: unknown): S3Error {
  return new S3Error('MalformedPolicy', {}, { message, cause })
}
