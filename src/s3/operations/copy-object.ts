import { XML_DECLARATION, element, optional, wrap } from '../../http/xml.ts'
import type { CopiedObject, CopyTarget } from '../../backend/backend.ts'
import { WRITES_OBJECT, signedOnly } from '../access-rules.ts'
import { parseAlgorithm } from '../checksum.ts'
import { checkCopyConditions, copyConditions, writePrecondition } from '../conditions.ts'
import {
  checkCopySize,
  isSameObject,
  parseCopySource,
  refuseBody,
  shownSource,
  sourceRef,
} from '../copy-source.ts'
import { S3Error } from '../errors.ts'
import { formatXmlDate } from '../http-date.ts'
import { contentHeaders, userMetadata } from '../metadata.ts'
import { isLockable, missingLockConfiguration, objectLockHeaders } from '../object-lock.ts'
import { header, headers, label, operation } from '../operation.ts'
import type { S3Request } from '../request.ts'
import { parseTaggingHeader } from '../tags.ts'
import { tell } from '../trace-facts.ts'

export const CopyObject = operation(
  {
    name: 'CopyObject',
    http: { method: 'PUT', target: 'object', header: 'x-amz-copy-source' },
    input: {
      bucket: label('bucket'),
      key: label('key'),
      source: header('x-amz-copy-source'),
      body: headers(refuseBody),
      metadata: headers(parseMetadata),
      tags: headers(parseTags),
      conditions: headers(copyConditions),
      precondition: headers(writePrecondition),
      checksum: header('x-amz-checksum-algorithm', parseAlgorithm),
      lock: headers(objectLockHeaders),
    },
  },
  {
    access: signedOnly(
      { rights: WRITES_OBJECT, readsSource: true },
      'Anonymous users cannot copy objects. Please authenticate.',
    ),
    async handle(input, { backend, call, keys, settings }) {
      const target = { bucket: input.bucket, key: input.key }
      const source = parseCopySource(input.source ?? '', settings.strictBucketNames)
      tell(call, 's3.copy_source', shownSource(source))
      const isItself = isSameObject(source, target) && source.versionId === undefined
      if (input.metadata === 'COPY' && isItself) throw unchanged()
      const isMissingLock =
        input.lock !== undefined && !(await isLockable(input.bucket, backend, call))
      const bringsTags = input.tags === 'COPY' && !isItself
      let size = 0
      const copied = await backend.copyObject(
        {
          ...sourceRef(source, settings),
          check(head) {
            // Tags may decide who reads an object: they come along only for whoever may read them there and set them here.
            if (bringsTags && head.tagCount > 0 && !keys.copiesTags)
              throw new S3Error('AccessDenied')
            checkCopyConditions(input.conditions, head)
            checkCopySize(head.size, settings.copyObjectThreshold)
            if (isMissingLock) throw missingLockConfiguration('write')
            size = head.size
          },
        },
        target,
        {
          metadata: input.metadata,
          tags: input.tags,
          lock: input.lock,
          checksum: input.checksum,
          precondition: input.precondition,
        },
        call,
      )
      tell(call, 's3.content_length', size)
      tell(call, 's3.etag', copied.etag)
      tell(call, 's3.version_id', copied.versionId)
      return { status: 200, headers: versionHeaders(copied), body: renderCopyResult(copied) }
    },
  },
)

export function renderCopyResult({ lastModifiedMs, checksum, etag }: CopiedObject): string {
  const sum =
    checksum === undefined
      ? ''
      : element(`Checksum${checksum.algorithm}`, checksum.value) +
        element('ChecksumType', checksum.type)
  const content =
    element('LastModified', formatXmlDate(lastModifiedMs)) + sum + optional('ETag', etag)
  return XML_DECLARATION + wrap('CopyObjectResult', content)
}

function versionHeaders({ sourceVersionId, versionId }: CopiedObject): string[] {
  const list: string[] = []
  if (sourceVersionId !== undefined) list.push('x-amz-copy-source-version-id', sourceVersionId)
  if (versionId !== undefined) list.push('x-amz-version-id', versionId)
  return list
}

function parseMetadata(request: S3Request): CopyTarget['metadata'] {
  const directive = parseDirective(
    request,
    'x-amz-metadata-directive',
    'Unknown metadata directive.',
  )
  if (directive === 'COPY') return directive
  return { headers: contentHeaders(request), userMetadata: userMetadata(request) }
}

function parseTags(request: S3Request): CopyTarget['tags'] {
  const directive = parseDirective(request, 'x-amz-tagging-directive', 'Unknown tagging directive.')
  if (directive === 'COPY') return directive
  const tagging = request.headers['x-amz-tagging']
  return { tags: parseTaggingHeader(typeof tagging === 'string' ? tagging : undefined) }
}

function parseDirective(
  { headers: all }: S3Request,
  name: string,
  message: string,
): 'COPY' | 'REPLACE' {
  const text = all[name]
  if (text === undefined || text === '' || text === 'COPY') return 'COPY'
  if (text === 'REPLACE') return text
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: name, ArgumentValue: String(text) },
    { message },
  )
}

function unchanged(): S3Error {
  return new S3Error(
    'InvalidRequest',
    {},
    {
      message:
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    },
  )
}
