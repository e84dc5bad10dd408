import type { ContentHeaders, ObjectHead } from '../backend/backend.ts'
import { checksumHeader } from './checksum.ts'
import { formatHttpDate } from './http-date.ts'
import { parseIsoTime, utcSeconds } from './iso-time.ts'
import { storedEncoding, toHeader } from './metadata.ts'
import type { Selection } from './object-selection.ts'
import { contentRange } from './range.ts'
import type { S3Request } from './request.ts'

export interface ReadOptions {
  /** `response-*` parameters: they stand in for the stored headers. */
  readonly overrides: ContentHeaders | undefined
  /** `x-amz-checksum-mode: ENABLED` */
  readonly withChecksum: boolean
}

/** The headers of an object that is read, or only looked at. */
export function objectHeaders(
  head: ObjectHead,
  selection: Selection,
  options: ReadOptions,
): string[] {
  const { overrides } = options
  const list = [
    'Last-Modified',
    formatHttpDate(head.lastModifiedMs),
    'accept-ranges',
    'bytes',
    'x-amz-storage-class',
    'STANDARD',
  ]
  push(
    list,
    'Content-Type',
    overrides?.contentType ?? head.headers.contentType ?? unknownType(head),
  )
  if (head.etag !== '') list.push('ETag', toHeader(head.etag))
  if (selection.isPartial) list.push('Content-Range', contentRange(selection, head.size))
  if (selection.partsCount !== undefined)
    list.push('x-amz-mp-parts-count', String(selection.partsCount))
  pushContentHeaders(list, head.headers, overrides)
  pushUserMetadata(list, head)
  if (head.tagCount > 0) list.push('x-amz-tagging-count', String(head.tagCount))
  if (head.versionId !== undefined) list.push('x-amz-version-id', toHeader(head.versionId))
  if (options.withChecksum && selection.length === head.size) pushChecksum(list, head.checksum)
  return list
}

/** HEAD tells of locks; GET does not. */
export function pushLockHeaders(list: string[], head: ObjectHead): void {
  if (head.retention !== undefined) {
    list.push('x-amz-object-lock-mode', toHeader(head.retention.mode))
    const { retainUntil } = head.retention
    const ms = parseIsoTime(retainUntil, { compactZone: true })?.ms
    const date = ms === undefined ? toHeader(retainUntil) : utcSeconds(ms)
    list.push('x-amz-object-lock-retain-until-date', date)
  }
  if (head.legalHold !== undefined)
    list.push('x-amz-object-lock-legal-hold', head.legalHold ? 'ON' : 'OFF')
}

/** `x-amz-checksum-<algorithm>` and its type. */
export function pushChecksum(list: string[], checksum: ObjectHead['checksum']): void {
  if (checksum === undefined) return
  list.push(
    checksumHeader(checksum.algorithm),
    toHeader(checksum.value),
    'x-amz-checksum-type',
    checksum.type,
  )
}

/** `response-content-type` and its like; undefined where none of them was sent. */
export function responseOverrides({ query, rawQuery }: S3Request): ContentHeaders | undefined {
  if (rawQuery === '' || !rawQuery.includes('response-')) return undefined
  const overrides: ContentHeaders = {}
  let isEmpty = true
  for (const [parameter, name] of OVERRIDES) {
    const value = query.get(parameter)
    if (value === undefined || value === '') continue
    overrides[name] = value
    isEmpty = false
  }
  return isEmpty ? undefined : overrides
}

const OVERRIDES = [
  ['response-content-type', 'contentType'],
  ['response-content-encoding', 'contentEncoding'],
  ['response-content-language', 'contentLanguage'],
  ['response-content-disposition', 'contentDisposition'],
  ['response-cache-control', 'cacheControl'],
  ['response-expires', 'expires'],
] as const

function pushContentHeaders(
  list: string[],
  stored: ContentHeaders,
  overrides: ContentHeaders | undefined,
): void {
  push(
    list,
    'Content-Encoding',
    overrides?.contentEncoding ?? storedEncoding(stored.contentEncoding),
  )
  push(list, 'Content-Language', overrides?.contentLanguage ?? stored.contentLanguage)
  push(list, 'Content-Disposition', overrides?.contentDisposition ?? stored.contentDisposition)
  push(list, 'Cache-Control', overrides?.cacheControl ?? stored.cacheControl)
  push(list, 'Expires', overrides?.expires ?? stored.expires)
  push(list, 'x-amz-website-redirect-location', stored.websiteRedirectLocation)
}

/** What a file that never had a type is served as: so does upstream, and what is empty has none. */
function unknownType({ size }: ObjectHead): string | undefined {
  return size > 0 ? 'text/plain; charset=utf-8' : undefined
}

function push(list: string[], name: string, value: string | undefined): void {
  if (value !== undefined && value !== '') list.push(name, toHeader(value))
}

/** A header's name is a token (RFC 9110 §5.6.2). Whatever else was stored cannot be sent; S3 says how many there are. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function pushUserMetadata(list: string[], head: ObjectHead): void {
  let missing = 0
  for (const name in head.userMetadata) {
    if (TOKEN.test(name)) list.push(`x-amz-meta-${name}`, toHeader(head.userMetadata[name] ?? ''))
    else missing++
  }
  if (missing > 0) list.push('x-amz-missing-meta', String(missing))
}
