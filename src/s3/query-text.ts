/** Decodes text of a URL query: `+` is a space, escapes are UTF-8. Undefined where an escape or its UTF-8 is broken. */
export function decodeQueryText(text: string): string | undefined {
  return decodePathText(text.includes('+') ? text.replaceAll('+', ' ') : text)
}

/**
 * Decodes percent escapes once; `+` stays. Undefined where an escape is broken or the bytes are no UTF-8: an S3 key is
 * UTF-8, and replacing what is not would make two keys one.
 */
export function decodePathText(text: string): string | undefined {
  // Node hands raw bytes over as one character each.
  const escaped = NON_ASCII.test(text) ? text.replace(EACH_NON_ASCII, escapeByte) : text
  if (!escaped.includes('%')) return escaped
  try {
    return decodeURIComponent(escaped)
  } catch {
    return undefined
  }
}

// oxlint-disable-next-line no-control-regex
const NON_ASCII = /[^\0-\x7f]/
// oxlint-disable-next-line no-control-regex
const EACH_NON_ASCII = /[^\0-\x7f]/g

function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

/** RFC 3986 percent encoding of everything but unreserved characters, `/` included: what a signature is made over. */
export function encodeQueryText(text: string): string {
  if (UNRESERVED.test(text)) return text
  return encodeURIComponent(text).replace(LEFT_BY_ENCODE_URI, escapeByte2)
}

const UNRESERVED = /^[A-Za-z0-9\-._~]*$/
const LEFT_BY_ENCODE_URI = /[!'()*]/g

function escapeByte2(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}
