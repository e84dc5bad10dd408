import type { Span } from './recorder.ts'
import type { Semconv } from './tracing-config.ts'

export interface RequestFacts {
  readonly method: string
  /** As sent, without the query. */
  readonly path: string
  /** As sent, without the question mark. */
  readonly query: string | undefined
  /** Those of the query, decoded. */
  readonly parameters?: ReadonlyMap<string, string>
  readonly clientAddress: string | undefined
  readonly userAgent: string | undefined
  /** The Host header, with or without a port. */
  readonly serverHost: string | undefined
  readonly serverPort: number | undefined
  /** As in `HTTP/1.1`: `1.1`. */
  readonly protocolVersion: string
}

/**
 * The root span's HTTP attributes, under the names that `semconv` asks for (trace contract, section 3.1):
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span and what stood there before 1.23.
 */
export function requestAttributes(root: Span, semconv: Semconv, facts: RequestFacts): void {
  const userAgent = facts.userAgent === undefined ? undefined : redactUserAgent(facts.userAgent)
  if (semconv !== 'stable') {
    root.set('http.method', facts.method)
    root.set('http.url', facts.path)
    setIfKnown(root, 'http.client_ip', facts.clientAddress)
    setIfKnown(root, 'http.user_agent', userAgent)
  }
  if (semconv === 'legacy') return
  root.set('http.request.method', facts.method)
  root.set('url.path', facts.path)
  if (facts.query !== undefined && facts.query !== '')
    root.set('url.query', redactQuery(facts.query, facts.parameters))
  setIfKnown(root, 'client.address', facts.clientAddress)
  setIfKnown(root, 'user_agent.original', userAgent)
  if (facts.serverHost !== undefined && facts.serverHost !== '')
    root.set('server.address', hostname(facts.serverHost))
  setIfKnown(root, 'server.port', facts.serverPort)
  root.set('network.protocol.version', facts.protocolVersion)
}

export function responseAttributes(root: Span, semconv: Semconv, status: number): void {
  if (semconv !== 'stable') root.set('http.status_code', status)
  if (semconv !== 'legacy') root.set('http.response.status_code', status)
}

function setIfKnown(root: Span, key: string, value: string | number | undefined): void {
  if (value !== undefined) root.set(key, value)
}

/** The host of `host:port`, `[v6]:port` or `host`. */
function hostname(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'))
  const colon = host.indexOf(':')
  return colon < 0 ? host : host.slice(0, colon)
}

/** Query parameters whose values may be shown: S3's sub-resources and what its list operations take. */
const SHOWN = new Set([
  'accelerate',
  'acl',
  'allow-unordered',
  'analytics',
  'attributes',
  'bucket-region',
  'continuation-token',
  'cors',
  'delete',
  'delimiter',
  'encoding-type',
  'encryption',
  'fetch-owner',
  'intelligent-tiering',
  'inventory',
  'key-marker',
  'legal-hold',
  'lifecycle',
  'list-type',
  'location',
  'logging',
  'marker',
  'max-buckets',
  'max-keys',
  'max-parts',
  'max-uploads',
  'metadataTable',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'part-number-marker',
  'partNumber',
  'policy',
  'policyStatus',
  'prefix',
  'publicAccessBlock',
  'renameObject',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'select-type',
  'session',
  'start-after',
  'tagging',
  'torrent',
  'upload-id-marker',
  'uploadId',
  'uploads',
  'version-id-marker',
  'versionId',
  'versioning',
  'versions',
  'website',
  'x-id',
])

const REDACTED = 'REDACTED'

/**
 * A query string fit for traces and logs: values of parameters that are not on the list become REDACTED, whatever they
 * are, so that a signature in an unheard-of parameter is not shown either. Names are decoded before they are looked up.
 * Where the parameters are known already, the query of a presigned URL is told from their names.
 */
export function redactQuery(query: string, parameters?: ReadonlyMap<string, string>): string {
  if (parameters !== undefined && isPresigned(parameters)) return PRESIGNED_QUERY
  let shown = ''
  for (let at = 0; ;) {
    const end = query.indexOf('&', at)
    if (end < 0) return shown + redactParameter(query.slice(at))
    shown += `${redactParameter(query.slice(at, end))}&`
    at = end + 1
  }
}

/** The parameters of every presigned URL. */
export const PRESIGNED: readonly string[] = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
]
const PRESIGNED_QUERY = PRESIGNED.map((name) => `${name}=${REDACTED}`).join('&')

/** Whether these are the parameters of a presigned URL and no others. */
function isPresigned(parameters: ReadonlyMap<string, string>): boolean {
  if (parameters.size !== PRESIGNED.length) return false
  for (const name of PRESIGNED) if (!parameters.has(name)) return false
  return true
}

function redactParameter(parameter: string): string {
  const equals = parameter.indexOf('=')
  const name = equals < 0 ? parameter : parameter.slice(0, equals)
  if (parameter === '' || SHOWN.has(decoded(name))) return parameter
  // Without a value, or with nothing but the padding of base64, the name itself may be what somebody pasted.
  const isName = equals >= 0 && PARAMETER_NAME.test(name) && !/^=*$/.test(parameter.slice(equals))
  return isName ? `${name}=${REDACTED}` : REDACTED
}

/** What parameters are called; anything longer or stranger may be a secret in the wrong place. */
const PARAMETER_NAME = /^[\w.%-]{0,40}$/

function decoded(name: string): string {
  if (!name.includes('%') && !name.includes('+')) return name
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return ''
  }
}

let lastUserAgent = ''
let lastShown = ''

/**
 * What clients call themselves, fit for traces and logs: a list of products and remarks. The value of a `name=value` and any
 * long run of characters that is no word may be a key somebody has put there, and becomes REDACTED.
 */
export function redactUserAgent(text: string): string {
  // Clients repeat themselves.
  if (text === lastUserAgent) return lastShown
  lastShown = text.replaceAll(/(=)[^\s;,)]+|[A-Za-z0-9+/_]{32,}/g, `$1${REDACTED}`)
  lastUserAgent = text
  return lastShown
}

export type { Semconv }
