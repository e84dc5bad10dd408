import { WRITES_OBJECT } from '../access-rules.ts'
import { declaredChecksum } from '../checksum.ts'
import { writePrecondition } from '../conditions.ts'
import { contentHeaders, userMetadata } from '../metadata.ts'
import { pushChecksum } from '../object-headers.ts'
import { isLockable, missingLockConfiguration, objectLockHeaders } from '../object-lock.ts'
import { header, headers, label, operation, payload } from '../operation.ts'
import { parseTaggingHeader } from '../tags.ts'
import { tell } from '../trace-facts.ts'

export const PutObject = operation(
  {
    name: 'PutObject',
    http: { method: 'PUT', target: 'object' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      precondition: headers(writePrecondition),
      contentHeaders: headers(contentHeaders),
      userMetadata: headers(userMetadata),
      lock: headers(objectLockHeaders),
      tags: header('x-amz-tagging', parseTaggingHeader),
      checksum: headers(declaredChecksum),
      body: payload(),
    },
  },
  {
    access: { rights: WRITES_OBJECT },
    async handle(input, { backend, call }) {
      if (input.lock !== undefined && !(await isLockable(input.bucket, backend, call)))
        throw missingLockConfiguration('write')
      const written = await backend.putObject(
        { bucket: input.bucket, key: input.key },
        {
          headers: input.contentHeaders,
          userMetadata: input.userMetadata,
          tags: input.tags,
          lock: input.lock,
          checksum: input.checksum?.algorithm ?? 'CRC64NVME',
          precondition: input.precondition,
        },
        input.body,
        call,
      )
      tell(call, 's3.content_length', written.size)
      tell(call, 's3.etag', written.etag)
      tell(call, 's3.version_id', written.versionId)
      const list = ['ETag', written.etag, 'x-amz-object-size', String(written.size)]
      pushChecksum(list, written.checksum)
      if (written.versionId !== undefined) list.push('x-amz-version-id', written.versionId)
      return { status: 200, headers: list }
    },
  },
)
