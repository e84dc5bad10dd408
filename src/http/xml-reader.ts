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
 * Requests need elements, attributes, text, CDATA sections and comments; that is all this reads. There are no document
 * types, so nothing can be defined and nothing expands; there is no recursion, and nesting deeper than any document
 * of S3 is refused. Each character is looked at a fixed number of times. A general parser takes ten times as long, which
 * for a list of 10,000 parts is half a second that the event loop serves no one else.
 */
export function parseXml(bytes: Uint8Array, root: string): XmlElement {
  const text = decode(bytes)
  const open: OpenElement[] = []
  let found: XmlElement | undefined
  let at = 0
  for (;;) {
    const start = text.indexOf('<', at)
    const end = start < 0 ? text.length : start
    if (end > at) addText(open.at(-1), replaceReferences(text.slice(at, end)))
    if (start < 0) break
    const kind = text[start + 1]
    if (kind === '/') at = closeElement(text, start, open)
    else if (kind === '!') at = skipMarkup(text, start, open.at(-1))
    else if (kind === '?') at = after(text, '?>', start)
    else {
      const element = openElement(text, start)
      const parent = open.at(-1)
      if (parent !== undefined) parent.children.push(element)
      else if (found === undefined && element.name === root) found = element
      else throw malformed()
      if (!element.isEmpty) open.push(element)
      if (open.length > MAX_DEPTH) throw malformed()
      at = element.end
    }
  }
  if (found === undefined || open.length > 0) throw malformed()
  return found
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

interface OpenElement extends XmlElement {
  readonly qualifiedName: string
  /** Where its start tag ends. */
  readonly end: number
  /** Written as `<a/>`. */
  readonly isEmpty: boolean
  text: string
  readonly children: XmlElement[]
}

const MAX_DEPTH = 32
const utf8 = new TextDecoder('utf-8', { fatal: true })
const DECLARED_ENCODING = /^<\?xml\s[^>]*\bencoding\s*=\s*["']([^"']*)["']/
const NAME = /[A-Z_a-z:\u0080-\uffff][\w.:\-\u0080-\uffff]*/y
const ATTRIBUTE =
  /\s+([A-Z_a-z:\u0080-\uffff][\w.:\-\u0080-\uffff]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y
const TAG_END = /\s*(\/?)>/y
const NO_ATTRIBUTES: Readonly<Record<string, string>> = {}
const COMMENT = '<!--'
const CDATA = '<![CDATA['

function decode(bytes: Uint8Array): string {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch (cause) {
    throw malformed(cause)
  }
  const encoding = DECLARED_ENCODING.exec(text)?.[1]
  if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') throw malformed()
  // XML 1.0 §2.11: line ends are line feeds.
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text
}

function openElement(text: string, start: number): OpenElement {
  NAME.lastIndex = start + 1
  const qualifiedName = NAME.exec(text)?.[0]
  if (qualifiedName === undefined) throw malformed()
  let at = start + 1 + qualifiedName.length
  let attributes: Record<string, string> | undefined
  for (;;) {
    TAG_END.lastIndex = at
    const end = TAG_END.exec(text)
    if (end !== null) {
      const isEmpty = end[1] === '/'
      const name = localName(qualifiedName)
      return {
        name,
        attributes: attributes ?? NO_ATTRIBUTES,
        text: '',
        children: [],
        qualifiedName,
        end: TAG_END.lastIndex,
        isEmpty,
      }
    }
    ATTRIBUTE.lastIndex = at
    const [, name, double, single] = ATTRIBUTE.exec(text) ?? []
    attributes ??= Object.create(null) as Record<string, string>
    if (name === undefined || name in attributes) throw malformed()
    attributes[name] = replaceReferences(double ?? single ?? '')
    at = ATTRIBUTE.lastIndex
  }
}

function closeElement(text: string, start: number, open: OpenElement[]): number {
  const end = after(text, '>', start)
  if (text.slice(start + 2, end - 1).trimEnd() !== open.pop()?.qualifiedName) throw malformed()
  return end
}

/** A comment or a CDATA section; every other declaration belongs to a document type. */
function skipMarkup(text: string, start: number, parent: OpenElement | undefined): number {
  if (text.startsWith(COMMENT, start)) return after(text, '-->', start + COMMENT.length)
  if (!text.startsWith(CDATA, start) || parent === undefined) throw malformed()
  const end = after(text, ']]>', start + CDATA.length)
  addText(parent, text.slice(start + CDATA.length, end - 3))
  return end
}

/** The place behind the next `mark`. */
function after(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from)
  if (found < 0) throw malformed()
  return found + mark.length
}

function addText(parent: OpenElement | undefined, text: string): void {
  if (parent !== undefined) parent.text += text
  else if (text.trim() !== '') throw malformed()
}

function localName(qualifiedName: string): string {
  return qualifiedName.slice(qualifiedName.lastIndexOf(':') + 1)
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
