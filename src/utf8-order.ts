/** Order of the UTF-8 bytes, which is that of code points and not of JavaScript's UTF-16 units. */
export function compareUtf8(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}
