import { hash, timingSafeEqual } from 'node:crypto'
import { S3Error } from '../s3/errors.ts'
import { decodeQueryText, encodeQueryText } from '../s3/query-text.ts'
import type { S3Request } from '../s3/request.ts'
import type { Claim } from './claim.ts'
import type { HmacKey } from './hmac.ts'

export const ALGORITHM = 'AWS4-HMAC-SHA256'

/**
 * AWS Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * Everything is text of one character a byte (ISO-8859-1), as Node hands over heads, and is hashed as those bytes: what was signed
 * is what was sent. The path is taken as sent, never encoded again: S3 differs from other services there.
 *
 * The query is decoded and encoded anew, as the standard says. A client that signs what it sends without that (an
 * unescaped `/` in a value) differs from it only in spelling, so its spelling is tried second: the signature covers
 * every byte either way.
 */
export function verifySignature(request: S3Request, claim: Claim, key: HmacKey): void {
  if (hasSignature(request, claim, key, canonicalQuery(request.rawQuery))) return
  if (hasSignature(request, claim, key, sortPairs(request.rawQuery, asSent))) return
  throw signatureMismatch(request, claim)
}

function hasSignature(request: S3Request, claim: Claim, key: HmacKey, query: string): boolean {
  const canonical = canonicalRequest(request, claim, query)
  return key.signed(claim.signature, firstLines(claim), canonical)
}

const expectedBytes = Buffer.alloc(64)
const givenBytes = Buffer.alloc(64)

/** Compares 64 hex digits in a time that does not depend on where they differ. */
export function equalSignatures(expected: string, given: string): boolean {
  if (given.length !== 64) return false
  expectedBytes.write(expected, 'latin1')
  givenBytes.write(given, 'latin1')
  return timingSafeEqual(expectedBytes, givenBytes)
}

function stringToSign(claim: Claim, canonical: string): string {
  return firstLines(claim) + hash('sha256', Buffer.from(canonical, 'latin1'), 'hex')
}

/** The string to sign, but for the hash of the canonical request at its end. */
function firstLines({ timestamp, scope }: Claim): string {
  return `${ALGORITHM}\n${timestamp}\n${scope}\n`
}

function canonicalRequest(request: S3Request, claim: Claim, query: string): string {
  const headers = canonicalHeaders(request, claim.signedHeaders)
  return `${request.method}\n${request.rawPath}\n${query}${headers}\n\n${claim.signedHeaders}\n${claim.payloadHash}`
}

/**
 * Each signed header as `\nname:value`, in the order the client lists them; one that was not sent counts as empty.
 *
 * AccessDenied where `host` or any `x-amz-*` header came that is not listed: whoever holds a presigned URL could otherwise add a
 * header that changes what it does.
 */
function canonicalHeaders(request: S3Request, signedHeaders: string): string {
  const { headers } = request
  const signed = signedNames(signedHeaders)
  let unsigned = signed.set.has('host') ? undefined : ['host']
  let count = 0
  for (const name in headers) {
    count++
    if (name.startsWith('x-amz-') && !signed.set.has(name)) (unsigned ??= []).push(name)
  }
  if (unsigned !== undefined) throw headersNotSigned(unsigned)
  // Node joins repeated headers with a comma and a space, or drops the second: then only the raw list knows.
  const repeated =
    count * 2 !== request.rawHeaders.length ? allValues(request.rawHeaders) : undefined
  let canonical = ''
  for (const { name, before } of signed.list) {
    const value = repeated === undefined ? headers[name] : repeated.get(name)
    canonical += before
    if (typeof value === 'string') canonical += collapseSpaces(value)
  }
  return canonical
}

/** The names of a list of signed headers. */
interface SignedNames {
  /** `before`: what stands before the value, `\nname:` */
  readonly list: readonly { readonly name: string; readonly before: string }[]
  readonly set: ReadonlySet<string>
}

/** A client's requests sign the same few sets of headers again and again. */
const namesByText = new Map<string, SignedNames>()
const MAX_LISTS = 256
const LONGEST_LIST = 1024

function signedNames(text: string): SignedNames {
  const known = namesByText.get(text)
  if (known !== undefined) return known
  const all = text.split(';')
  const list = all.map((name) => ({ name, before: `\n${name}:` }))
  const names = { list, set: new Set(all) }
  if (text.length <= LONGEST_LIST) {
    if (namesByText.size >= MAX_LISTS) namesByText.clear()
    namesByText.set(text, names)
  }
  return names
}

function collapseSpaces(value: string): string {
  return value.includes('  ') ? value.replace(/ +/g, ' ').trim() : value
}

function allValues(rawHeaders: readonly string[]): Map<string, string> {
  const values = new Map<string, string>()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    const value = (rawHeaders[i + 1] ?? '').trim()
    const earlier = values.get(name)
    values.set(name, earlier === undefined ? value : `${earlier},${value}`)
  }
  return values
}

/** Decoded and encoded anew, sorted by name, then by value; without the signature of a presigned URL. */
export function canonicalQuery(rawQuery: string): string {
  const query = withoutSignature(rawQuery)
  // Most clients send what they signed.
  return CANONICAL_QUERY.test(query) && isSorted(query) ? query : sortPairs(rawQuery, canonicalPair)
}

const SIGNATURE = 'X-Amz-Signature='

function withoutSignature(rawQuery: string): string {
  const at = rawQuery.startsWith(SIGNATURE) ? 0 : rawQuery.indexOf(`&${SIGNATURE}`)
  if (at < 0) return rawQuery
  const end = rawQuery.indexOf('&', at + 1)
  if (end < 0) return rawQuery.slice(0, at)
  return at === 0 ? rawQuery.slice(end + 1) : rawQuery.slice(0, at) + rawQuery.slice(end)
}

function sortPairs(rawQuery: string, spell: (pair: string) => string): string {
  const pairs = rawQuery.split('&').filter((pair) => pair !== '' && !pair.startsWith(SIGNATURE))
  return pairs.map(spell).sort(comparePairs).join('&')
}

/** What needs no second spelling: pairs of unreserved characters, and in the values upper-case escapes of all others. */
const CANONICAL_QUERY =
  /^(?:(?:^|&)[\w.~-]+=[\w.~-]*(?:%(?:2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF]|[0189A-F][0-9A-F])[\w.~-]*)*)*$/

/** Whether the pairs of a canonical query are in their order. */
function isSorted(query: string): boolean {
  for (let at = 0; ;) {
    const next = query.indexOf('&', at) + 1
    if (next === 0) return true
    if (!inOrder(query, at, next)) return false
    at = next
  }
}

/** Whether of two pairs of a canonical query, which begin at `first` and at `second`, the first may stand first. */
function inOrder(query: string, first: number, second: number): boolean {
  for (let i = 0; ; i++) {
    const a = rankOf(query.charCodeAt(first + i))
    const b = rankOf(query.charCodeAt(second + i))
    if (a !== b) return a < b
    if (a === END) return true
  }
}

const END = -1
const EQUALS = 0x3d
const AMPERSAND = 0x26

/** Names and values end before any character; NaN stands behind the last one. */
function rankOf(code: number): number {
  if (code === EQUALS) return 0
  return code === AMPERSAND || Number.isNaN(code) ? END : code
}

function canonicalPair(pair: string): string {
  const equals = pair.indexOf('=')
  const name = equals < 0 ? pair : pair.slice(0, equals)
  const value = equals < 0 ? '' : pair.slice(equals + 1)
  return `${recode(name)}=${recode(value)}`
}

function recode(text: string): string {
  const decoded = decodeQueryText(text)
  return decoded === undefined ? text : encodeQueryText(decoded)
}

/** As sent, but for the `=` that a parameter without value lacks. */
function asSent(pair: string): string {
  return pair.includes('=') ? pair : `${pair}=`
}

/** By name, then by value: `=` must not take part, for it sorts after `-`, `.` and the digits. */
function comparePairs(a: string, b: string): number {
  const first = a.charCodeAt(0) - b.charCodeAt(0)
  // Names that begin differently, and are not empty, need no further look.
  if (first !== 0 && a[0] !== '=' && b[0] !== '=') return first
  const lengthA = a.indexOf('=')
  const lengthB = b.indexOf('=')
  if (lengthA < lengthB && b.startsWith(a.slice(0, lengthA))) return -1
  if (lengthB < lengthA && a.startsWith(b.slice(0, lengthB))) return 1
  return a === b ? 0 : a < b ? -1 : 1
}

function headersNotSigned(names: readonly string[]): S3Error {
  const message = 'There were headers present in the request which were not signed'
  return new S3Error('AccessDenied', { HeadersNotSigned: names.join(', ') }, { message })
}

/**
 * Tells the client what we made of its request, so that it can find the difference to what it signed; of a chunk its own
 * string and signature.
 */
export function signatureMismatch(
  request: S3Request,
  claim: Claim,
  chunk?: { readonly toSign: string; readonly signature: string },
): S3Error {
  const canonical = canonicalRequest(request, claim, canonicalQuery(request.rawQuery))
  const toSign = chunk?.toSign ?? stringToSign(claim, canonical)
  return new S3Error('SignatureDoesNotMatch', {
    AWSAccessKeyId: claim.accessKey,
    StringToSign: readable(toSign),
    SignatureProvided: chunk?.signature ?? claim.signature,
    StringToSignBytes: hexPairs(toSign),
    CanonicalRequest: readable(canonical),
    CanonicalRequestBytes: hexPairs(canonical),
  })
}

function readable(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8')
}

function hexPairs(text: string): string {
  return Buffer.from(text, 'latin1')
    .toString('hex')
    .replace(/..(?!$)/g, '$& ')
}
