/**
 * What an LDAP server may send us, checked byte for byte against the grammar of RFC 4511 in BER: every length must end where
 * what it encloses ends. Nothing is kept; reading it is ldapts's business.
 */

/** Longer answers are refused: an account's entry is a few hundred bytes. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024

const INTEGER = 0x02
const OCTET_STRING = 0x04
const ENUMERATED = 0x0a
const BOOLEAN = 0x01
const SEQUENCE = 0x30
const SET = 0x31
const CONTROLS = 0xa0
const REFERRAL = 0xa3

/** LDAPResult and its kin, by the tag of the operation: fields that may follow its three. */
const RESULTS = new Map<number, readonly number[]>([
  [0x61, [0x87]], // BindResponse: serverSaslCreds
  [0x65, []], // SearchResultDone
  [0x67, []], // ModifyResponse
  [0x69, []], // AddResponse
  [0x6b, []], // DelResponse
  [0x78, [0x8a, 0x8b]], // ExtendedResponse: responseName, responseValue
])
const SEARCH_ENTRY = 0x64
const SEARCH_REFERENCE = 0x73

/** Length of the answer that begins here, undefined where too little is here to tell. Throws where none can begin. */
export function answerLength(bytes: Buffer): number | undefined {
  const [tag = SEQUENCE, first = 0] = bytes
  if (tag !== SEQUENCE || first === 0x80 || first > 0x84) throw new LdapSyntaxError()
  if (bytes.length < 2 + (first < 0x80 ? 0 : first & 0x7f)) return undefined
  const { end } = new Reader(bytes, 0, Infinity).next()
  if (end > MAX_ANSWER_BYTES) throw new LdapSyntaxError()
  return end
}

/** Throws unless the bytes are one answer. */
export function checkAnswer(bytes: Buffer): void {
  const message = new Reader(bytes, 0, bytes.length).enter(SEQUENCE)
  message.skip(INTEGER)
  const operation = message.next()
  const body = message.inside(operation)
  const optional = RESULTS.get(operation.tag)
  if (operation.tag === SEARCH_ENTRY) checkEntry(body)
  else if (operation.tag === SEARCH_REFERENCE) body.skipAll(OCTET_STRING)
  else if (optional !== undefined) checkResult(body, optional)
  else throw new LdapSyntaxError()
  if (message.peek() === CONTROLS) checkControls(message.enter(CONTROLS))
  message.finish()
}

function checkResult(body: Reader, optional: readonly number[]): void {
  body.skip(ENUMERATED)
  body.skip(OCTET_STRING)
  body.skip(OCTET_STRING)
  if (body.peek() === REFERRAL) body.enter(REFERRAL).skipAll(OCTET_STRING)
  for (const tag of optional) if (body.peek() === tag) body.skip(tag)
  body.finish()
}

function checkEntry(body: Reader): void {
  body.skip(OCTET_STRING)
  const attributes = body.enter(SEQUENCE)
  body.finish()
  while (!attributes.atEnd) {
    const attribute = attributes.enter(SEQUENCE)
    attribute.skip(OCTET_STRING)
    attribute.enter(SET).skipAll(OCTET_STRING)
    attribute.finish()
  }
}

function checkControls(controls: Reader): void {
  while (!controls.atEnd) {
    const control = controls.enter(SEQUENCE)
    control.skip(OCTET_STRING)
    if (control.peek() === BOOLEAN) control.skip(BOOLEAN)
    if (control.peek() === OCTET_STRING) control.skip(OCTET_STRING)
    control.finish()
  }
}

class LdapSyntaxError extends Error {
  constructor() {
    super('the server sent what is no LDAP answer')
  }
}

interface Element {
  readonly tag: number
  /** Of its content. */
  readonly start: number
  readonly end: number
}

/** Walks over elements in DER's definite lengths, which RFC 4511 section 5.1 prescribes. */
class Reader {
  readonly #bytes: Buffer
  readonly #end: number
  #at: number

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  get atEnd(): boolean {
    return this.#at === this.#end
  }

  peek(): number | undefined {
    return this.atEnd ? undefined : this.#bytes[this.#at]
  }

  next(): Element {
    const tag = this.#byte()
    const first = this.#byte()
    const size = first < 0x80 ? 0 : first & 0x7f
    if (first === 0x80 || size > 4) throw new LdapSyntaxError()
    let length = first < 0x80 ? first : 0
    for (let i = 0; i < size; i++) length = length * 256 + this.#byte()
    const start = this.#at
    if (length > this.#end - start) throw new LdapSyntaxError()
    this.#at = start + length
    return { tag, start, end: this.#at }
  }

  skip(tag: number): Element {
    const element = this.next()
    if (element.tag !== tag) throw new LdapSyntaxError()
    // ldapts reads numbers of four bytes at most, and takes an empty one for the end of what there is.
    const length = element.end - element.start
    const isNumber = tag === INTEGER || tag === ENUMERATED || tag === BOOLEAN
    if (isNumber && (length < 1 || length > 4)) throw new LdapSyntaxError()
    return element
  }

  skipAll(tag: number): void {
    while (!this.atEnd) this.skip(tag)
  }

  enter(tag: number): Reader {
    return this.inside(this.skip(tag))
  }

  inside({ start, end }: Element): Reader {
    return new Reader(this.#bytes, start, end)
  }

  finish(): void {
    if (!this.atEnd) throw new LdapSyntaxError()
  }

  #byte(): number {
    const byte = this.#at < this.#end ? this.#bytes[this.#at] : undefined
    if (byte === undefined) throw new LdapSyntaxError()
    this.#at += 1
    return byte
  }
}
