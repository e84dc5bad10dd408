/**
 * Where a listing goes on: the last key given, as it is, so that a client of VersityGW can go on here and the other way
 * round. A key that XML cannot carry (control characters become U+FFFD there) would come back as another: it is written
 * percent-encoded behind a mark, and so is a key that happens to begin with the mark.
 */
export function writeToken(key: string): string {
  return NOT_IN_XML.test(key) || key.startsWith(MARK) ? MARK + encodeURIComponent(key) : key
}

/** The key of a token, whoever wrote it. */
export function readToken(token: string): string {
  if (!token.startsWith(MARK)) return token
  try {
    return decodeURIComponent(token.slice(MARK.length))
  } catch {
    return token
  }
}

const MARK = '[url]'
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const NOT_IN_XML = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/
