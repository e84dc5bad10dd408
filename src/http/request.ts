import type { IncomingMessage } from 'node:http'
import { S3Error } from '../s3/errors.ts'
import { decodePathText, decodeQueryText, hasEscapes, isAsciiText } from '../s3/query-text.ts'
import type { S3Request } from '../s3/request.ts'
import { PRESIGNED } from '../trace/root-attributes.ts'

export interface RequestOptions {
  /** `--virtual-domain`: a Host of `bucket.<domain>` names the bucket. */
  readonly virtualDomain: string | undefined
}

/** Stands for a request before it is read. */
export const UNPARSED: S3Request = {
  method: '',
  rawPath: '/',
  rawQuery: '',
  bucket: undefined,
  key: undefined,
  query: new Map(),
  repeatedQuery: undefined,
  headers: {},
  rawHeaders: [],
  scheme: 'http',
  host: '',
  hostStyle: false,
  clientAddress: '',
}

/**
 * Reads the request line and the head. InvalidURI where the target is no path (absolute form, `*`), where an escape is
 * broken, or where it is no UTF-8.
 *
 * The path is split at its raw slashes and decoded once: an escaped slash is part of a key, never the end of a bucket.
 */
export function parseRequest(incoming: IncomingMessage, options: RequestOptions): S3Request {
  const target = incoming.url ?? ''
  if (!target.startsWith('/')) throw new S3Error('InvalidURI')
  if (isUnknownCoding(incoming.headers['transfer-encoding']))
    throw new S3Error('BadRequest', {}, { headers: CLOSE })
  const mark = target.indexOf('?')
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const rawQuery = mark < 0 ? '' : target.slice(mark + 1)
  const host = incoming.headers.host ?? ''
  const hostBucket =
    options.virtualDomain === undefined ? undefined : bucketOfHost(host, options.virtualDomain)
  const { bucket, key } =
    hostBucket === undefined ? splitPath(rawPath) : inBucket(hostBucket, rawPath)
  const { query, repeatedQuery } = rawQuery === '' ? NO_QUERY : parseQuery(rawQuery)
  return {
    method: incoming.method ?? '',
    rawPath,
    rawQuery,
    bucket,
    key,
    query,
    repeatedQuery,
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    scheme: 'encrypted' in incoming.socket ? 'https' : 'http',
    host,
    hostStyle: hostBucket !== undefined,
    clientAddress: peerAddress(incoming),
  }
}

/**
 * What is known of a request that was refused before it was read, or that could not be read: for its trace and its access
 * line. A target that is no path may hold a password, and is not told.
 */
export function unreadRequest(incoming: IncomingMessage): S3Request {
  const { method = '', url = '', headers } = incoming
  const target = url.startsWith('/') ? url : '/'
  const mark = target.indexOf('?')
  return {
    ...UNPARSED,
    method,
    rawPath: mark < 0 ? target : target.slice(0, mark),
    rawQuery: mark < 0 ? '' : target.slice(mark + 1),
    host: headers.host ?? '',
    clientAddress: peerAddress(incoming),
  }
}

const CLOSE = { Connection: 'close' }

/** Node lets such a request through, and where its body ends only the client knows. */
function isUnknownCoding(coding: string | undefined): boolean {
  return coding !== undefined && coding.toLowerCase() !== 'chunked'
}

interface Place {
  readonly bucket: string | undefined
  readonly key: string | undefined
}

interface Query {
  readonly query: ReadonlyMap<string, string>
  readonly repeatedQuery: string | undefined
}

const NO_QUERY: Query = { query: new Map(), repeatedQuery: undefined }
const SERVICE: Place = { bucket: undefined, key: undefined }

function splitPath(rawPath: string): Place {
  if (rawPath === '/') return SERVICE
  const slash = rawPath.indexOf('/', 1)
  const bucket = decodePath(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash))
  const key = slash < 0 ? '' : decodePath(rawPath.slice(slash + 1))
  return { bucket, key: key === '' ? undefined : key }
}

function inBucket(bucket: string, rawPath: string): Place {
  const key = decodePath(rawPath.slice(1))
  return { bucket, key: key === '' ? undefined : key }
}

/** What stands before the first `.domain` of the Host; undefined where that is nothing, or the domain is another. */
function bucketOfHost(host: string, domain: string): string | undefined {
  const end = host.indexOf(`.${domain}`)
  return end > 0 ? host.slice(0, end) : undefined
}

function decodePath(raw: string): string {
  const text = decodePathText(raw)
  if (text === undefined) throw new S3Error('InvalidURI')
  return text
}

/** Of a repeated parameter the first counts, and its name is told, so that whoever must not be ambiguous can refuse. */
function parseQuery(rawQuery: string): Query {
  const query = new Map<string, string>()
  let repeatedQuery: string | undefined
  // Where all of it is ASCII, texts without escapes need no further look.
  const isAscii = isAsciiText(rawQuery)
  for (let at = 0; at < rawQuery.length;) {
    const mark = rawQuery.indexOf('&', at)
    const end = mark < 0 ? rawQuery.length : mark
    if (end > at) {
      const equals = rawQuery.indexOf('=', at)
      const nameEnd = equals < 0 || equals > end ? end : equals
      const rawName = nameAt(rawQuery, at, nameEnd)
      const rawValue = nameEnd === end ? '' : rawQuery.slice(nameEnd + 1, end)
      const name = isAscii && !hasEscapes(rawName) ? rawName : decodeQueryText(rawName)
      const value = isAscii && !hasEscapes(rawValue) ? rawValue : decodeQueryText(rawValue)
      if (name === undefined || value === undefined) throw new S3Error('InvalidURI')
      if (query.has(name)) repeatedQuery ??= name
      else query.set(name, value)
    }
    at = end + 1
  }
  return { query, repeatedQuery }
}

/**
 * The names that every presigned request has. A text that was cut out of another one is compared by a call into the
 * engine, and each name is looked for a dozen times: so there is one text for each.
 */
const presignedByLength: string[][] = []
for (const name of PRESIGNED) (presignedByLength[name.length] ??= []).push(name)

function nameAt(rawQuery: string, from: number, to: number): string {
  const presigned = presignedByLength[to - from]
  if (presigned !== undefined)
    for (const name of presigned) if (rawQuery.startsWith(name, from)) return name
  return rawQuery.slice(from, to)
}

/** The socket's own peer: a header that claims another is not believed. A Unix socket's has no address, for which VersityGW says 0.0.0.0. */
function peerAddress(incoming: IncomingMessage): string {
  const address = incoming.socket.remoteAddress ?? '0.0.0.0'
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
