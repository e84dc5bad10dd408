import { XML_DECLARATION, element, wrap, xmlDocument } from '../../http/xml.ts'
import { declaredChecksum } from '../checksum.ts'
import { S3Error } from '../errors.ts'
import { contentHeaders, toHeader, userMetadata } from '../metadata.ts'
import { pushChecksum } from '../object-headers.ts'
import { form, headers, label, operation, type S3Response } from '../operation.ts'
import { redirectTo } from '../post-redirect.ts'
import { tell } from '../trace-facts.ts'
import { locationOf } from './complete-multipart-upload.ts'

/** A browser's upload by an HTML form. Its fields stand where a PutObject has headers: see `formRequest`. */
export const PostObject = operation(
  {
    name: 'PostObject',
    http: { method: 'POST', target: 'bucket' },
    backendOperation: 'PutObject',
    input: {
      bucket: label('bucket'),
      key: label('key'),
      contentHeaders: headers(contentHeaders),
      userMetadata: headers(userMetadata),
      checksum: headers(declaredChecksum),
      form: form(),
    },
  },
  {
    access: {
      rights: [
        { action: 's3:PutObject', permission: 'WRITE', on: 'keys' },
        {
          action: 's3:PutObjectTagging',
          permission: 'WRITE',
          on: 'keys',
          withHeaders: ['x-amz-tagging'],
        },
      ],
    },
    async handle(
      { bucket, key, form, ...input },
      { backend, call, request, authentication, settings },
    ) {
      const { file, tags, fields } = form
      if (tags instanceof S3Error) {
        await backend.headBucket(bucket, call)
        throw tags
      }
      file.expect(authentication.lengthRange ?? ANY_LENGTH, input.checksum)
      const written = await backend.putObject(
        { bucket, key },
        {
          headers: input.contentHeaders,
          userMetadata: input.userMetadata,
          tags,
          lock: undefined,
          checksum: input.checksum?.algorithm ?? 'CRC64NVME',
          precondition: {},
        },
        file,
        call,
      )
      tell(call, 's3.content_length', written.size)
      tell(call, 's3.etag', written.etag)
      tell(call, 's3.version_id', written.versionId)
      // As the client spelled it: that is the name it looks for.
      const place = { bucket, key: request.key ?? key, etag: written.etag }
      const target = redirectTo(fields.get('success_action_redirect'), place, settings.dialect)
      if (target !== undefined) return { status: 303, headers: ['Location', target] }
      const location = locationOf(request, bucket, place.key)
      const list = ['ETag', written.etag, 'Location', toHeader(location)]
      pushChecksum(list, written.checksum)
      if (written.versionId !== undefined) list.push('x-amz-version-id', written.versionId)
      const posted = { ...place, location, isAws: settings.dialect === 'aws' }
      return answer(fields.get('success_action_status'), list, posted)
    },
  },
)

const ANY_LENGTH = { min: 0, max: Number.MAX_SAFE_INTEGER }

interface Posted {
  /** S3's answer has no name space. */
  readonly isAws: boolean
  readonly bucket: string
  readonly key: string
  readonly etag: string
  readonly location: string
}

/** 204 unless the form asks for one of the two others. */
function answer(status: string | undefined, list: string[], posted: Posted): S3Response {
  if (status === '200') return { status: 200, headers: list }
  if (status !== '201') return { status: 204, headers: list }
  const { isAws, bucket, key, etag, location } = posted
  const content =
    element('Location', location) +
    element('Bucket', bucket) +
    element('Key', key) +
    element('ETag', etag)
  const body = isAws
    ? XML_DECLARATION + wrap('PostResponse', content)
    : xmlDocument('PostResponse', content)
  return { status: 201, headers: list, body }
}
