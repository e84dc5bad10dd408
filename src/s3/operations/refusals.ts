import { OPEN } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { headers, operation, type Operation, type Route } from '../operation.ts'
import type { S3Request } from '../request.ts'

/**
 * Requests that no operation answers but whose mistake S3 names, instead of taking them for the operation they resemble.
 * They stand in `index.ts` like operations, before those they would be taken for.
 */
function refusal(http: Route, reason: (request: S3Request) => S3Error): Operation {
  return operation(
    { name: 'Unknown', http, input: { error: headers(reason) }, backendOperation: false },
    { access: OPEN, handle: ({ error }) => Promise.reject(error) },
  )
}

const COPY_SOURCE = 'x-amz-copy-source'

const misplacedCopySource = (request: S3Request): S3Error =>
  new S3Error(
    'InvalidArgument',
    { ArgumentName: COPY_SOURCE, ArgumentValue: String(request.headers[COPY_SOURCE]) },
    { message: 'You can only specify a copy source header for copy requests.' },
  )

export const GetWithCopySource = refusal(
  { method: 'GET', target: 'object', header: COPY_SOURCE },
  misplacedCopySource,
)
export const HeadWithCopySource = refusal(
  { method: 'HEAD', target: 'object', header: COPY_SOURCE },
  misplacedCopySource,
)
export const DeleteWithCopySource = refusal(
  { method: 'DELETE', target: 'object', header: COPY_SOURCE },
  misplacedCopySource,
)
export const CompleteWithCopySource = refusal(
  { method: 'POST', target: 'object', query: 'uploadId', header: COPY_SOURCE },
  misplacedCopySource,
)

export const UploadsOfKey = refusal(
  { method: 'GET', target: 'object', query: 'uploads' },
  () =>
    new S3Error(
      'InvalidRequest',
      {},
      { message: 'Key is not expected for the GET method ?uploads subresource' },
    ),
)

export const VersionsOfKey = refusal(
  { method: 'GET', target: 'object', query: 'versions' },
  () =>
    new S3Error(
      'InvalidRequest',
      {},
      { message: 'There is no such thing as the ?versions sub-resource for a key' },
    ),
)

/** The value is the parameter's name: so does upstream. */
export const PartWithoutUpload = refusal(
  { method: 'PUT', target: 'object', query: 'partNumber' },
  () =>
    new S3Error(
      'InvalidArgument',
      { ArgumentName: 'partNumber', ArgumentValue: 'partNumber' },
      { message: 'This operation does not accept partNumber without uploadId' },
    ),
)

export const PutOfUpload = refusal(
  { method: 'PUT', target: 'object', query: 'uploadId' },
  () =>
    new S3Error(
      'MethodNotAllowed',
      { Method: 'PUT', ResourceType: 'UPLOAD' },
      { headers: { Allow: 'DELETE, POST, GET' } },
    ),
)
