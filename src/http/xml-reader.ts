import { XMLParser } from 'fast-xml-parser'
import { S3Error } from '../s3/errors.ts'

/** An element of a request's document. Names are without their prefix; `text` is its own text, nothing trimmed. */
export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
  readonly children: readonly XmlElement[]
}

/**
 * Reads a request's document. MalformedXML unless it is well-formed UTF-8 whose root element is `root`. The size has been
 * bounded by whoever read the bytes.
 *
 * fast-xml-parser reads and validates; around it stands what it is lax about. Entities it leaves alone: those of XML and
 * character references are replaced here, once, and none can be defined, so that nothing expands.
 */
export function parseXml(bytes: Uint8Array, root: string, maxTags = MAX_TAGS): XmlElement {
  const [only, ...others] = topLevel(decode(bytes, maxTags))
  if (only === undefined || others.length > 0) throw malformed()
  const element = toElement(only)
  if (element.name !== root) throw malformed()
  return element
}

/** The first child of that name. Where there is no parent, there is no child. */
export function child(parent: XmlElement | undefined, name: string): XmlElement | undefined {
  return parent?.children.find((candidate) => candidate.name === name)
}

export function childrenOf(parent: XmlElement | undefined, name: string): XmlElement[] {
  return parent?.children.filter((candidate) => candidate.name === name) ?? []
}

/** The text of the first child of that name; undefined where there is none. */
export function childText(parent: XmlElement | undefined, name: string): string | undefined {
  return child(parent, name)?.text
}

/** More than any document of S3 has: 10,000 parts with ten elements each are 220,000 tags. */
const MAX_TAGS = 250_000
const MAX_ATTRIBUTES = 32
const MAX_DEPTH = 32
/** Names that no element can have. */
const CDATA = '#cdata'
const TEXT = '#text'
const ATTRIBUTES = ':@'

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  removeNSPrefix: true,
  ignorePiTags: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  cdataPropName: CDATA,
  textNodeName: TEXT,
  maxNestedTags: MAX_DEPTH,
  jPath: false,
  onDangerousProperty: (name) => name,
})

/** A node as the library gives it: one property, its content under its name, and perhaps one for its attributes. */
type Node = Readonly<Record<string, unknown>>

/** What stands beside and above the root is seen only as the content of an element: the library drops it, or lets it pass. */
const WRAPPER = 'document'

function topLevel(text: string): readonly Node[] {
  let nodes: readonly Node[]
  try {
    nodes = parser.parse(`<${WRAPPER}>${text}</${WRAPPER}>`, true) as readonly Node[]
  } catch (cause) {
    throw malformed(cause)
  }
  const content = nodes[0]?.[WRAPPER] as readonly Node[]
  return content.filter((node) => !isBlank(node[TEXT]))
}

function isBlank(text: unknown): boolean {
  return typeof text === 'string' && text.trim() === ''
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const DECLARATION = /^<\?xml(?:\s[^?]*)?\?>/
const OTHER_ENCODING = /\sencoding\s*=\s*["'](?!utf-8["'])/i
/** Declarations belong to document types, of which the library would read the entities. */
const DECLARED = /<!(?!--|\[CDATA\[)/

/** The text of a document, without its declaration. */
function decode(bytes: Uint8Array, maxTags: number): string {
  let text: string
  try {
    // The library would replace what is no UTF-8.
    text = utf8.decode(bytes)
  } catch (cause) {
    throw malformed(cause)
  }
  const declaration = DECLARATION.exec(text)?.[0] ?? ''
  if (OTHER_ENCODING.test(declaration) || DECLARED.test(text)) throw malformed()
  // A tag of four bytes becomes a hundred times as much memory.
  if (countTags(text) > maxTags) throw malformed()
  return text.slice(declaration.length)
}

function countTags(text: string): number {
  let count = 0
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at + 1)) count++
  return count
}

function toElement(node: Node): XmlElement {
  const name = Object.keys(node).find((key) => key !== ATTRIBUTES) ?? ''
  const content = node[name]
  // A text or a section beside the root.
  if (!Array.isArray(content) || name === CDATA) throw malformed()
  let text = ''
  const children: XmlElement[] = []
  for (const inner of content as readonly Node[]) {
    const own = inner[TEXT]
    const section = inner[CDATA]
    if (typeof own === 'string') text += replaceReferences(own)
    else if (Array.isArray(section)) text += String((section[0] as Node)[TEXT])
    else children.push(toElement(inner))
  }
  return { name, attributes: toAttributes(node[ATTRIBUTES]), text, children }
}

const NO_ATTRIBUTES: Readonly<Record<string, string>> = {}

function toAttributes(given: unknown): Readonly<Record<string, string>> {
  if (typeof given !== 'object' || given === null) return NO_ATTRIBUTES
  const attributes = Object.entries(given)
  if (attributes.length > MAX_ATTRIBUTES) throw malformed()
  return Object.fromEntries(
    attributes.map(([name, value]) => [name, replaceReferences(String(value))]),
  )
}

const NAMED = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
])
const NUMBER = /^#(?:\d{1,7}|x[0-9a-fA-F]{1,6})$/

/** Character references and XML's own five entities. */
function replaceReferences(text: string): string {
  // The library lets start tags stand in attributes.
  if (text.includes('<')) throw malformed()
  if (!text.includes('&')) return text
  const [before = '', ...pieces] = text.split('&')
  let replaced = before
  for (const piece of pieces) {
    const end = piece.indexOf(';')
    const name = piece.slice(0, Math.max(end, 0))
    replaced += (NAMED.get(name) ?? referredCharacter(name)) + piece.slice(end + 1)
  }
  return replaced
}

function referredCharacter(name: string): string {
  if (!NUMBER.test(name)) throw malformed()
  const code = name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
  if (code === 0 || code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) throw malformed()
  return String.fromCodePoint(code)
}

function malformed(cause?: unknown): S3Error {
  return new S3Error('MalformedXML', {}, { cause })
}
