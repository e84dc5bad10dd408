import { OPEN } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { header, label, operation, type Operation, type Target } from '../operation.ts'

/** What a browser asks before a request of another origin. It is not signed. */
function preflight(target: Target): Operation {
  return operation(
    {
      name: 'PreflightOptions',
      http: { method: 'OPTIONS', target },
      input: {
        bucket: label('bucket'),
        origin: header('origin', requireOrigin),
        method: header('access-control-request-method', checkMethod),
        requestHeaders: header('access-control-request-headers', checkHeaderNames),
      },
    },
    {
      access: OPEN,
      async handle({ bucket }, { backend, call }) {
        const rules = await backend.getBucketSubresource(bucket, 'cors', call)
        // Rules that VersityGW stored are kept; judging by them comes with CORS itself.
        if (rules !== undefined) throw new S3Error('NotImplemented')
        throw new S3Error(
          'AccessForbidden',
          { Method: 'OPTIONS', ResourceType: 'BUCKET' },
          { message: 'CORSResponse: CORS is not enabled for this bucket.' },
        )
      },
    },
  )
}

export const PreflightBucket = preflight('bucket')
export const PreflightObject = preflight('object')

const METHODS = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD'])
/** RFC 9110 §5.6.2: a header's name is a token. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function requireOrigin(origin: string | undefined): string {
  if (origin !== undefined && origin !== '') return origin
  throw badRequest('Insufficient information. Origin request header needed.')
}

function checkMethod(method: string | undefined): void {
  if (!METHODS.has(method ?? ''))
    throw badRequest(`Invalid Access-Control-Request-Method: ${method ?? ''}`)
}

function checkHeaderNames(list: string | undefined): void {
  for (const name of (list ?? '').split(',')) {
    const trimmed = name.trim()
    if (trimmed === '' || NAME.test(trimmed)) continue
    throw badRequest(`Access-Control-Request-Headers "${trimmed}" contains invalid character.`)
  }
}

function badRequest(message: string): S3Error {
  return new S3Error('BadRequest', {}, { message })
}
