import { childText, childrenOf, parseXml, type XmlElement } from '../../http/xml-reader.ts'
import { XML_DECLARATION, element, wrap } from '../../http/xml.ts'
import { S3Error } from '../errors.ts'

/** A rule of a bucket's CORS configuration: which pages may send what, and what of the answers they may see. */
export interface CorsRule {
  readonly allowedMethods: readonly string[]
  readonly allowedHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly allowedOrigins: readonly string[]
  readonly id: string | undefined
  readonly maxAgeSeconds: number | undefined
}

/** What a rule may allow, and a preflight ask for. */
export const CORS_METHODS: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD'])
/** RFC 9110, 5.6.2: the name of a header is a token. `*`, the wildcard, is one of its characters. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

export function isHeaderName(text: string): boolean {
  return TOKEN.test(text)
}

/** The rules of a document, as they are written there. MalformedXML where it is none. */
export function readCors(bytes: Uint8Array): CorsRule[] {
  return childrenOf(parseXml(bytes, 'CORSConfiguration'), 'CORSRule').map((rule) => toRule(rule))
}

/** The rules of a document that is put: MalformedXML, or InvalidRequest that names what cannot stand there. */
export function readNewCors(bytes: Uint8Array): CorsRule[] {
  const rules = readCors(bytes)
  if (rules.length === 0) throw new S3Error('MalformedXML')
  for (const rule of rules) checkRule(rule)
  return rules
}

export function renderCors(rules: readonly CorsRule[]): string {
  return XML_DECLARATION + wrap('CORSConfiguration', rules.map((rule) => renderRule(rule)).join(''))
}

function toRule(rule: XmlElement): CorsRule {
  const texts = (name: string): string[] => childrenOf(rule, name).map(({ text }) => text)
  return {
    allowedMethods: texts('AllowedMethod'),
    allowedHeaders: texts('AllowedHeader'),
    exposeHeaders: texts('ExposeHeader'),
    allowedOrigins: texts('AllowedOrigin'),
    id: texts('ID').at(-1),
    maxAgeSeconds: childText(rule, 'MaxAgeSeconds') === undefined ? undefined : maxAge(rule),
  }
}

/** Of several the last counts, and nothing is 0: so VersityGW reads what it stored. */
function maxAge(rule: XmlElement): number {
  const text = childrenOf(rule, 'MaxAgeSeconds').at(-1)?.text.trim() ?? ''
  if (text === '') return 0
  // `| 0` is the number itself where it fits into 32 bits, and makes 0 of -0.
  const seconds = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  if ((seconds | 0) !== seconds) throw new S3Error('MalformedXML')
  return seconds | 0
}

function checkRule(rule: CorsRule): void {
  if (rule.allowedOrigins.length === 0) throw new S3Error('MalformedXML')
  for (const origin of rule.allowedOrigins) {
    if (origin.indexOf('*') !== origin.lastIndexOf('*'))
      throw invalid(`AllowedOrigin "${origin}" can not have more than one wildcard.`)
  }
  if (rule.allowedMethods.length === 0) throw new S3Error('MalformedXML')
  for (const method of rule.allowedMethods) {
    if (!CORS_METHODS.has(method))
      throw invalid(`Found unsupported HTTP method in CORS config. Unsupported method is ${method}`)
  }
  for (const name of [...rule.allowedHeaders, ...rule.exposeHeaders]) {
    if (name !== '' && !isHeaderName(name))
      throw invalid(`AllowedHeader "${name}" contains invalid character.`)
  }
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidRequest', {}, { message })
}

function renderRule(rule: CorsRule): string {
  const each = (name: string, texts: readonly string[]): string =>
    texts.map((text) => element(name, text)).join('')
  return wrap(
    'CORSRule',
    each('AllowedMethod', rule.allowedMethods) +
      each('AllowedHeader', rule.allowedHeaders) +
      each('ExposeHeader', rule.exposeHeaders) +
      each('AllowedOrigin', rule.allowedOrigins) +
      (rule.id === undefined ? '' : element('ID', rule.id)) +
      (rule.maxAgeSeconds === undefined ? '' : element('MaxAgeSeconds', rule.maxAgeSeconds)),
  )
}
