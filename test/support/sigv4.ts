import { createHash, createHmac } from 'node:crypto'

/**
 * Signature Version 4 for tests, written from the AWS documentation and not shared with what is tested. It signs whatever it
 * is given, byte for byte, so that tests can send what no SDK would.
 */
export interface Credentials {
  readonly access: string
  readonly secret: string
}

export type HeaderList = readonly (readonly [name: string, value: string])[]

export interface SigningOptions {
  /** Value of x-amz-content-sha256; undefined leaves the header out. */
  readonly payloadHash: string | undefined
  readonly date?: Date
  readonly region?: string
  readonly service?: string
  /** Names that are signed; unless given: host, content-type, content-md5 and all x-amz-*. */
  readonly signedHeaders?: readonly string[]
  /** Of the credential scope, where it shall differ from the date's. */
  readonly scopeDate?: string
  readonly terminator?: string
}

export interface Signed {
  readonly headers: HeaderList
  readonly signature: string
  readonly amzDate: string
  readonly scope: string
  readonly key: Buffer
}

export const EMPTY_SHA256 = sha256('')

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export interface RequestHead {
  readonly method: string
  readonly target: string
  readonly headers: HeaderList
}

/** Adds x-amz-date, x-amz-content-sha256 and Authorization to `headers`, which must hold Host. */
export function signHeaders(
  { method, target, headers }: RequestHead,
  credentials: Credentials,
  options: SigningOptions,
): Signed {
  const amzDate = isoBasic(options.date ?? new Date())
  const all: [string, string][] = headers.map(([name, value]) => [name, value])
  const has = (wanted: string): boolean => all.some(([name]) => name.toLowerCase() === wanted)
  if (!has('x-amz-date')) all.push(['x-amz-date', amzDate])
  if (options.payloadHash !== undefined && !has('x-amz-content-sha256')) {
    all.push(['x-amz-content-sha256', options.payloadHash])
  }
  const byName = new Map<string, string[]>()
  for (const [name, value] of all) {
    const values = byName.get(name.toLowerCase()) ?? []
    byName.set(name.toLowerCase(), [...values, value.trim().replaceAll(/ +/g, ' ')])
  }
  const isSigned = (name: string): boolean =>
    name === 'host' ||
    name === 'content-type' ||
    name === 'content-md5' ||
    name.startsWith('x-amz-')
  const names = options.signedHeaders ?? [...byName.keys()].filter(isSigned).toSorted()
  const [path, query] = splitTarget(target)
  const canonical = [
    method,
    path,
    canonicalQuery(query),
    ...names.map((name) => `${name}:${(byName.get(name) ?? []).join(',')}`),
    '',
    names.join(';'),
    options.payloadHash ?? '',
  ].join('\n')
  const { signature, scope, key } = signCanonical(canonical, amzDate, credentials, options)
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.access}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  if (!has('authorization')) all.push(['Authorization', authorization])
  return { headers: all, signature, amzDate, scope, key }
}

export interface PresignOptions extends Omit<SigningOptions, 'payloadHash'> {
  readonly expires?: string | number
  /** `name: value` of headers signed besides host. */
  readonly extraSigned?: HeaderList
}

/** The target with the query parameters of a presigned URL. */
export function presignTarget(
  { method, target, host }: { method: string; target: string; host: string },
  credentials: Credentials,
  options: PresignOptions = {},
): string {
  const amzDate = isoBasic(options.date ?? new Date())
  const scope = scopeOf(amzDate, options)
  const [path, query] = splitTarget(target)
  const signed: HeaderList = [['host', host], ...(options.extraSigned ?? [])].toSorted(
    ([a = ''], [b = '']) => (a < b ? -1 : 1),
  ) as [string, string][]
  const names = signed.map(([name]) => name).join(';')
  const parameters = [
    ...(query === '' ? [] : [query]),
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encode(`${credentials.access}/${scope}`)}`,
    `X-Amz-Date=${amzDate}`,
    `X-Amz-Expires=${options.expires ?? 600}`,
    `X-Amz-SignedHeaders=${encode(names)}`,
  ].join('&')
  const canonical = [
    method,
    path,
    canonicalQuery(parameters),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const { signature } = signCanonical(canonical, amzDate, credentials, options)
  return `${path}?${parameters}&X-Amz-Signature=${signature}`
}

/** RFC 3986: everything but the unreserved characters. */
export function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** A key as it stands in a request target. */
export function encodeKey(key: string): string {
  return key.split('/').map(encode).join('/')
}

function signCanonical(
  canonical: string,
  amzDate: string,
  { secret }: Credentials,
  options: Omit<SigningOptions, 'payloadHash'>,
): { signature: string; scope: string; key: Buffer } {
  const scope = scopeOf(amzDate, options)
  const [date = '', region = '', service = '', terminator = ''] = scope.split('/')
  const key = [region, service, terminator].reduce(
    (k, part) => hmac(k, part),
    hmac(`AWS4${secret}`, date),
  )
  const stringToSign = ['AWS4-HMAC-SHA256', amzDate, scope, sha256(canonical)].join('\n')
  return { signature: hmac(key, stringToSign).toString('hex'), scope, key }
}

function scopeOf(amzDate: string, options: Omit<SigningOptions, 'payloadHash'>): string {
  const {
    scopeDate = amzDate.slice(0, 8),
    region = 'us-east-1',
    service = 's3',
    terminator = 'aws4_request',
  } = options
  return `${scopeDate}/${region}/${service}/${terminator}`
}

export function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  const pairs = query.split('&').map((part) => {
    const at = part.indexOf('=')
    const name = at === -1 ? part : part.slice(0, at)
    const value = at === -1 ? '' : part.slice(at + 1)
    return [recode(name), recode(value)] as const
  })
  pairs.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

function recode(text: string): string {
  try {
    return encode(decodeURIComponent(text))
  } catch {
    return text
  }
}

function splitTarget(target: string): [path: string, query: string] {
  const at = target.indexOf('?')
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)]
}

/** 20261121T112133Z */
export function isoBasic(date: Date): string {
  return date.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
}
