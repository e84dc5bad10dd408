import { XML_DECLARATION, element, optional, wrap } from '../../http/xml.ts'
import type { ObjectHead, ObjectRef } from '../../backend/backend.ts'
import { DeleteMarkerError } from '../../backend/delete-marker.ts'
import { onObject } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { formatAsctime, formatHttpDate } from '../http-date.ts'
import { parseCount, parsePageSize } from '../list-params.ts'
import { header, label, operation, query, type OperationContext } from '../operation.ts'
import { tell } from '../trace-facts.ts'
import { parseVersionId } from '../version-id.ts'

export const GetObjectAttributes = operation(
  {
    name: 'GetObjectAttributes',
    http: { method: 'GET', target: 'object', query: 'attributes' },
    backendOperation: 'HeadObject',
    input: {
      bucket: label('bucket'),
      key: label('key'),
      versionId: query('versionId', parseVersionId),
      attributes: header('x-amz-object-attributes', parseAttributes),
      maxParts: header('x-amz-max-parts', (text) => parsePageSize('max-parts', text)),
      partNumberMarker: header(
        'x-amz-part-number-marker',
        (text) => parseCount('part-number-marker', text) ?? 0,
      ),
    },
  },
  {
    access: onObject('s3:GetObjectAttributes', 'READ', 's3:GetObjectVersionAttributes'),
    async handle({ attributes, maxParts, partNumberMarker, ...ref }, context) {
      const { call, settings } = context
      const head = await look(ref, context)
      tell(call, 's3.etag', head.etag)
      tell(call, 's3.version_id', head.versionId)
      // Clients that read times strictly (minio-go) refuse the form of VersityGW.
      const formatTime = settings.dialect === 'aws' ? formatHttpDate : formatAsctime
      const list = ['Last-Modified', formatTime(head.lastModifiedMs)]
      if (head.versionId !== undefined) list.push('x-amz-version-id', head.versionId)
      return {
        status: 200,
        headers: list,
        body: renderAttributes(head, attributes, { maxParts, partNumberMarker }),
      }
    },
  },
)

/** Without an object there are no attributes, by whatever id a delete marker is asked for. */
async function look(ref: ObjectRef, { backend, call }: OperationContext): Promise<ObjectHead> {
  try {
    return await backend.headObject(ref, call)
  } catch (error) {
    if (!(error instanceof DeleteMarkerError)) throw error
    const headers = ref.versionId === undefined ? {} : { 'x-amz-delete-marker': 'true' }
    throw new S3Error('NoSuchKey', {}, { headers })
  }
}

const ATTRIBUTES = ['ETag', 'Checksum', 'ObjectParts', 'ObjectSize', 'StorageClass'] as const
type Attribute = (typeof ATTRIBUTES)[number]

export function parseAttributes(text: string | undefined): ReadonlySet<Attribute> {
  const wanted = new Set<Attribute>()
  for (const name of (text ?? '').split(',')) {
    const trimmed = name.trim()
    if (trimmed === '') continue
    const attribute = ATTRIBUTES.find((known) => known === trimmed)
    if (attribute === undefined) throw unknownAttribute(text ?? '')
    wanted.add(attribute)
  }
  if (wanted.size > 0) return wanted
  throw new S3Error(
    'InvalidRequest',
    {},
    {
      message:
        'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty',
    },
  )
}

interface PartsPage {
  readonly maxParts: number
  readonly partNumberMarker: number
}

export function renderAttributes(
  head: ObjectHead,
  wanted: ReadonlySet<Attribute>,
  page: PartsPage,
): string {
  let content = ''
  if (wanted.has('ETag')) content += optional('ETag', head.etag.replaceAll('"', ''))
  if (wanted.has('ObjectSize')) content += element('ObjectSize', head.size)
  if (wanted.has('StorageClass')) content += element('StorageClass', 'STANDARD')
  if (wanted.has('Checksum')) content += wrap('Checksum', renderChecksum(head.checksum))
  if (wanted.has('ObjectParts') && head.partEnds !== undefined)
    content += renderParts(head.partEnds, page)
  return XML_DECLARATION + wrap('GetObjectAttributesResponse', content)
}

/** Elements in the order of their names; of a file that S3 did not write the type is there and empty. */
function renderChecksum(checksum: ObjectHead['checksum']): string {
  const type = element('ChecksumType', checksum?.type ?? '')
  if (checksum === undefined) return type
  const value = element(`Checksum${checksum.algorithm}`, checksum.value)
  return value < type ? value + type : type + value
}

/** Sizes only: the checksums of parts are not kept once the object is whole. */
function renderParts(ends: readonly number[], { maxParts, partNumberMarker }: PartsPage): string {
  const last = Math.min(partNumberMarker + maxParts, ends.length)
  let parts = ''
  for (let number = partNumberMarker + 1; number <= last; number++) {
    const size = (ends[number - 1] ?? 0) - (ends[number - 2] ?? 0)
    parts += wrap('Part', element('PartNumber', number) + element('Size', size))
  }
  return wrap(
    'ObjectParts',
    element('IsTruncated', last < ends.length) +
      element('MaxParts', maxParts) +
      element('NextPartNumberMarker', Math.max(last, partNumberMarker)) +
      element('PartNumberMarker', partNumberMarker) +
      parts +
      element('PartsCount', ends.length),
  )
}

function unknownAttribute(value: string): S3Error {
  return new S3Error(
    'InvalidArgument',
    { ArgumentName: 'x-amz-object-attributes', ArgumentValue: value },
    { message: 'Invalid attribute name specified.' },
  )
}
