import type { S3Error } from '../s3/errors.ts'

/** What every XML answer begins with. */
export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

export interface ErrorIds {
  readonly requestId: string
  readonly hostId: string
  readonly resource?: string
}

/** The body of an error answer: Code, Message, the error's own elements, and where to look it up. */
export function errorDocument(error: S3Error, ids: ErrorIds): string {
  let details = ''
  for (const [name, value] of Object.entries(error.details)) details += element(name, value)
  const resource = ids.resource === undefined ? '' : element('Resource', ids.resource)
  return (
    `${XML_DECLARATION}<Error>${element('Code', error.code)}${element('Message', error.message)}${details}${resource}` +
    `${element('RequestId', ids.requestId)}${element('HostId', ids.hostId)}</Error>`
  )
}

/** A whole answer: declaration and root element, in S3's name space unless told. `content` is XML already. */
export function xmlDocument(
  root: string,
  content: string,
  namespace: string | undefined = S3_NAMESPACE,
): string {
  const attribute = namespace === undefined ? '' : ` xmlns="${namespace}"`
  return `${XML_DECLARATION}<${root}${attribute}>${content}</${root}>`
}

/** `<name>text</name>`, the text escaped. */
export function element(name: string, text: string | number | boolean): string {
  return `<${name}>${typeof text === 'string' ? escapeXml(text) : text}</${name}>`
}

/** The element, or nothing where there is no text. */
export function optional(name: string, text: string | number | boolean | undefined): string {
  return text === undefined || text === '' ? '' : element(name, text)
}

/** Around elements that are XML already. */
export function wrap(name: string, content: string): string {
  return `<${name}>${content}</${name}>`
}

/** Escapes as VersityGW does; what XML 1.0 cannot hold at all becomes U+FFFD, so that the answer stays well-formed. */
export function escapeXml(text: string): string {
  return SPECIAL.test(text) ? text.replace(EACH_SPECIAL, escapeCharacter) : text
}

// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const SPECIAL = /["&'<>\0-\x1f\ud800-\udfff\ufffe\uffff]/
// oxlint-disable-next-line no-control-regex
const EACH_SPECIAL = /["&'<>]|[\0-\x1f]|[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff\ufffe\uffff]/g

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
}

function escapeCharacter(character: string): string {
  return character.length === 2 ? character : (ESCAPES[character] ?? '\ufffd')
}
