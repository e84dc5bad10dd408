import { OPEN } from '../access-rules.ts'
import { badRequest, fallbackPreflight, findGrant, readQuestion } from '../cors/cors-grant.ts'
import { exposeHeaders } from '../cors/cors-answer.ts'
import type { CompiledRule } from '../cors/stored-cors.ts'
import { S3Error } from '../errors.ts'
import {
  label,
  operation,
  type Operation,
  type OperationContext,
  type S3Response,
  type Target,
} from '../operation.ts'
import type { S3Request } from '../request.ts'

/** What a browser asks before a request of another origin. It is not signed. */
function preflight(target: Target): Operation {
  return operation(
    {
      name: 'PreflightOptions',
      http: { method: 'OPTIONS', target },
      input: { bucket: label('bucket') },
    },
    {
      access: OPEN,
      async handle({ bucket }, context) {
        const { request, settings } = context
        const { corsAllowOrigin } = settings
        const rules = await storedRules(bucket, context)
        if (rules !== undefined || corsAllowOrigin === undefined) return answer(request, rules)
        return { status: 204, headers: fallbackPreflight(corsAllowOrigin, request) }
      },
    },
  )
}

export const PreflightBucket = preflight('bucket')
export const PreflightObject = preflight('object')

/** Where there is no bucket there are no rules: nothing is said of CORS unless a setting does. */
export const PreflightService = operation(
  {
    name: 'PreflightOptions',
    http: { method: 'OPTIONS', target: 'service' },
    input: {},
    backendOperation: false,
  },
  { access: OPEN, handle: (_, context) => Promise.resolve(preflightWithoutRules(context)) },
)

/** Also of the admin API. */
export function preflightWithoutRules({ settings, request }: OperationContext): S3Response {
  const { corsAllowOrigin } = settings
  return corsAllowOrigin === undefined
    ? { status: 200 }
    : { status: 204, headers: fallbackPreflight(corsAllowOrigin, request) }
}

/** NoSuchBucket, unless a setting speaks for buckets that are not there too. */
async function storedRules(
  bucket: string,
  { backend, call, cors, settings }: OperationContext,
): Promise<readonly CompiledRule[] | undefined> {
  try {
    const stored = await backend.getBucketSubresource(bucket, 'cors', call)
    return stored === undefined ? undefined : cors.read(bucket, stored)
  } catch (error) {
    const isMissing = error instanceof S3Error && error.code === 'NoSuchBucket'
    if (isMissing && settings.corsAllowOrigin !== undefined) return undefined
    throw error
  }
}

function answer(request: S3Request, rules: readonly CompiledRule[] | undefined): S3Response {
  const { origin } = request.headers
  if (!origin) throw badRequest('Insufficient information. Origin request header needed.')
  const question = readQuestion(request, origin)
  if (rules === undefined)
    throw new S3Error('AccessForbidden', details('BUCKET'), {
      message: 'CORSResponse: CORS is not enabled for this bucket.',
    })
  const grant = findGrant(rules, question)
  if (grant === undefined)
    throw new S3Error('AccessForbidden', details(request.key === undefined ? 'BUCKET' : 'OBJECT'))
  const expose = exposeHeaders(grant.exposed, ['ETag'])
  return { status: 200, headers: [...grant.headers, 'Access-Control-Expose-Headers', expose] }
}

function details(resourceType: string): Record<string, string> {
  return { Method: 'OPTIONS', ResourceType: resourceType }
}
