import { XMLParser } from 'fast-xml-parser'
import { S3Error } from '../s3/errors.ts'

/** What every XML answer begins with. */
export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

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
export function xmlDocument(root: string, content: string, namespace: string | undefined = S3_NAMESPACE): string {
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

/** An element of a request's document. Names are without their prefix; `text` is its own text, nothing trimmed. */
export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
  readonly children: readonly XmlElement[]
}

/**
 * Reads a request's document. MalformedXML unless it is well-formed UTF-8 without a document type, nested no deeper than any
 * document of S3, and its root element is `root`. The size has been bounded by whoever read the bytes.
 *
 * Entities are the five of XML and character references: the parser is told to leave them alone, and they are
 * replaced here, once, so that nothing can be defined and nothing expands.
 */
export function parseXml(bytes: Uint8Array, root: string): XmlElement {
  const text = decodeUtf8(bytes)
  if (FORBIDDEN.test(text) || isOtherEncoding(text)) throw malformed()
  let nodes: unknown
  try {
    nodes = parser.parse(text, true)
  } catch (cause) {
    throw malformed(cause)
  }
  const elements = childNodes(nodes).filter((node) => !node.name.startsWith('?') && !node.name.startsWith('#'))
  const [only] = elements
  if (only === undefined || elements.length > 1 || only.name !== root) throw malformed()
  return toElement(only)
}

/** The first child of that name. */
export function child(parent: XmlElement, name: string): XmlElement | undefined {
  return parent.children.find((candidate) => candidate.name === name)
}

export function childrenOf(parent: XmlElement, name: string): XmlElement[] {
  return parent.children.filter((candidate) => candidate.name === name)
}

/** The text of the first child of that name; undefined where there is none. */
export function childText(parent: XmlElement, name: string): string | undefined {
  return child(parent, name)?.text
}

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  cdataPropName: '#cdata',
  maxNestedTags: 32,
  jPath: false,
})

const utf8 = new TextDecoder('utf-8', { fatal: true })
/** A declaration of any kind: document types, and the entities that live in them. */
const FORBIDDEN = /<!(?!--|\[CDATA\[)/
const DECLARED_ENCODING = /^<\?xml\b[^>]*\bencoding\s*=\s*["']([^"']*)["']/
const REFERENCE = /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos));|&/g
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw malformed(cause)
  }
}

function isOtherEncoding(text: string): boolean {
  const declared = DECLARED_ENCODING.exec(text)?.[1]
  return declared !== undefined && declared.toLowerCase() !== 'utf-8'
}

/** A node as the parser gives it: one property named after the element, and its attributes under `:@`. */
interface Node {
  readonly name: string
  readonly content: unknown
  readonly attributes: Readonly<Record<string, string>>
}

function childNodes(content: unknown): Node[] {
  const nodes: Node[] = []
  for (const item of Array.isArray(content) ? (content as Record<string, unknown>[]) : []) {
    const name = Object.keys(item).find((key) => key !== ':@')
    if (name === undefined) continue
    const attributes = (item[':@'] ?? {}) as Record<string, string>
    nodes.push({ name, content: item[name], attributes })
  }
  return nodes
}

function toElement(node: Node): XmlElement {
  let text = ''
  const children: XmlElement[] = []
  for (const inner of childNodes(node.content)) {
    if (inner.name === '#text') text += replaceReferences(String(inner.content))
    else if (inner.name === '#cdata') text += cdataOf(inner)
    else if (!inner.name.startsWith('?')) children.push(toElement(inner))
  }
  return { name: node.name, attributes: node.attributes, text, children }
}

function cdataOf(node: Node): string {
  return childNodes(node.content).map((inner) => String(inner.content)).join('')
}

function replaceReferences(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(REFERENCE, (_, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return NAMED[name] ?? ''
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    if (Number.isNaN(code) || code === 0 || code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) throw malformed()
    return String.fromCodePoint(code)
  })
}

function malformed(cause?: unknown): S3Error {
  return new S3Error('MalformedXML', {}, { cause })
}
