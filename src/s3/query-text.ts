/** Whether text of a URL query, if it is ASCII, does not stand for itself. */
export function hasEscapes(text: string): boolean {
  return text.includes('%') || text.includes('+')
}

export function isAsciiText(text: string): boolean {
  return ASCII.test(text)
}

/** Decodes text of a URL query: `+` is a space, escapes are UTF-8. Undefined where an escape or its UTF-8 is broken. */
export function decodeQueryText(text: string): string | undefined {
  // Presigned requests have the same credential in them, request after request.
  if (text !== lastEncoded) {
    lastDecoded = decodePathText(text.includes('+') ? text.replaceAll('+', ' ') : text)
    lastEncoded = text
  }
  return lastDecoded
}

let lastEncoded = ''
let lastDecoded: string | undefined = ''

/**
 * Decodes percent escapes once; `+` stays. Undefined where an escape is broken or the bytes are no UTF-8: an S3 key is
 * UTF-8, and replacing what is not would make two keys one.
 */
export function decodePathText(text: string): string | undefined {
  if (PATH_LITERAL.test(text)) return text
  try {
    // Node hands raw bytes over as one character each.
    return decodeURIComponent(ASCII.test(text) ? text : text.replace(EACH_RAW_BYTE, escapeByte))
  } catch {
    return undefined
  }
}

/** RFC 3986 percent encoding of everything but unreserved characters, `/` included: what a signature is made over. */
export function encodeQueryText(text: string): string {
  if (UNRESERVED.test(text)) return text
  return encodeURIComponent(text).replace(LEFT_BY_ENCODE_URI, escapeByte)
}

const ASCII = /^[\0-\x7f]*$/
/** All of ASCII but %. */
const PATH_LITERAL = /^[\0-$&-\x7f]*$/
const EACH_RAW_BYTE = /[^\0-\x7f]/g
const UNRESERVED = /^[\w.~-]*$/
const LEFT_BY_ENCODE_URI = /[!'()*]/g

function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
