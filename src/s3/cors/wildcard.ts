/**
 * A pattern in which `*` stands for any run of characters, told apart once. A match takes time that is linear in the text:
 * each piece between two stars is looked for behind the one before, and none is looked for twice.
 */
export class Wildcard {
  readonly #start: string
  readonly #middle: readonly string[]
  /** Undefined where there is no star. */
  readonly #end: string | undefined

  constructor(pattern: string) {
    const [start = '', ...others] = pattern.split('*')
    this.#start = start
    this.#end = others.pop()
    this.#middle = others.filter((piece) => piece !== '')
  }

  matches(text: string): boolean {
    const start = this.#start
    const end = this.#end
    if (end === undefined) return text === start
    const last = text.length - end.length
    if (last < start.length || !text.startsWith(start) || !text.endsWith(end)) return false
    let at = start.length
    for (const piece of this.#middle) {
      const found = text.indexOf(piece, at)
      if (found === -1 || found + piece.length > last) return false
      at = found + piece.length
    }
    return true
  }
}
