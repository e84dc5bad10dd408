import type { ContentHeaders, UserMetadata } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

const PREFIX = 'x-amz-meta-'
const MAX_USER_METADATA_BYTES = 2048

/** `x-amz-meta-*`, without the prefix, names in lower case. MetadataTooLarge beyond 2 KiB of names and values. */
export function userMetadata(request: S3Request): UserMetadata {
  let metadata: Record<string, string> | undefined
  let size = 0
  for (const name in request.headers) {
    if (!name.startsWith(PREFIX)) continue
    const key = fromHeader(name.slice(PREFIX.length))
    const value = header(request, name) ?? ''
    // defineProperty in spirit: a key named __proto__ is a key like any other.
    metadata ??= Object.create(null) as Record<string, string>
    metadata[key] = value
    size += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (metadata === undefined) return NO_METADATA
  if (size > MAX_USER_METADATA_BYTES) {
    throw new S3Error('MetadataTooLarge', {
      Size: String(size),
      MaxSizeAllowed: String(MAX_USER_METADATA_BYTES),
    })
  }
  return metadata
}

/** The headers an object is stored with and answers with again. */
export function contentHeaders(request: S3Request): ContentHeaders {
  const websiteRedirectLocation = header(request, 'x-amz-website-redirect-location')
  if (websiteRedirectLocation !== undefined && !REDIRECT.test(websiteRedirectLocation)) {
    throw new S3Error('InvalidRedirectLocation')
  }
  return {
    contentType: header(request, 'content-type'),
    contentEncoding: storedEncoding(header(request, 'content-encoding')),
    contentLanguage: header(request, 'content-language'),
    contentDisposition: header(request, 'content-disposition'),
    cacheControl: header(request, 'cache-control'),
    expires: header(request, 'expires'),
    websiteRedirectLocation,
  }
}

/** `aws-chunked` belongs to the transfer, not to the object: it is neither stored nor, from older data, sent. */
export function storedEncoding(encoding: string | undefined): string | undefined {
  if (encoding === undefined || !encoding.toLowerCase().includes('aws-chunked')) return encoding
  const codings = encoding.split(',').map((coding) => coding.trim())
  const kept = codings.filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked')
  return kept.length === 0 ? undefined : kept.join(',')
}

/**
 * Text for a response header, as Node wants it: one character a byte. What no header may hold (line ends above all:
 * stored or asked-for text must not become headers of its own) is sent as a space.
 */
export function toHeader(text: string): string {
  if (PLAIN.test(text)) return text
  return Buffer.from(text.replace(NOT_IN_HEADERS, ' '), 'utf8').toString('latin1')
}

/** The other way: Node gives header bytes as one character each. Bytes that are no UTF-8 are ISO-8859-1, HTTP's old default. */
export function fromHeader(value: string): string {
  if (ASCII.test(value)) return value
  const bytes = Buffer.from(value, 'latin1')
  const text = bytes.toString('utf8')
  return text.includes('\ufffd') && !bytes.includes('\ufffd') ? value : text
}

const NO_METADATA: UserMetadata = {}
const REDIRECT = /^(\/|https?:\/\/)/
const PLAIN = /^[\t\x20-\x7e]*$/
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const NOT_IN_HEADERS = /[\0-\x08\x0a-\x1f\x7f]/g
const ASCII = /^[\0-\x7f]*$/

/** Undefined where absent or empty: an empty header is not stored. */
function header(request: S3Request, name: string): string | undefined {
  const value = request.headers[name]
  if (value === undefined || value === '') return undefined
  return fromHeader(typeof value === 'object' ? value.join(',') : value)
}
