import type { IncomingMessage } from 'node:http'
import { S3Error } from '../s3/errors.ts'

/** What VersityGW reads of a head at most, request line and header fields. */
const MAX_HEAD_BYTES = 8192

/** What neither parser nor router would refuse: a head too large, and one of HTTP/1.1 that names no host (RFC 9112, 3.2). */
export function checkHead({
  method,
  url,
  rawHeaders,
  headers,
  httpVersionMinor,
}: IncomingMessage): void {
  if (headers.host === undefined && httpVersionMinor === 1) throw new S3Error('BadRequest')
  let bytes = (method?.length ?? 0) + (url?.length ?? 0) + '  HTTP/1.1\r\n'.length
  // Each pair of name and value has two characters between them and two behind.
  for (const text of rawHeaders) bytes += text.length + 2
  if (bytes > MAX_HEAD_BYTES)
    throw new S3Error('RequestHeaderSectionTooLarge', { MaxSizeAllowed: String(MAX_HEAD_BYTES) })
}
