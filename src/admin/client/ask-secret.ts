const CTRL_C = '\u0003'
/** Return, line feed, Ctrl-D. */
const ENDS = new Set(['\r', '\n', '\u0004'])
const BACKSPACES = new Set(['\b', '\u007f'])
/** No secret key is as long. */
const MAX_LINE = 4096

/** Whether somebody sits there who can be asked. */
export function isTerminal(): boolean {
  return process.stdin.isTTY
}

/** Asks the terminal; what is typed is not shown. Ctrl-C ends the program, as everywhere. */
export async function askSecret(question: string): Promise<string> {
  const { stdin } = process
  const line = new TypedLine()
  // Before the question, or the terminal shows what a quick hand types.
  stdin.setRawMode(true)
  process.stderr.write(question)
  try {
    for await (const text of stdin.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      if (line.type(text as string)) break
    }
    return line.text
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    process.stderr.write('\n')
  }
}

/** A line as a terminal edits it, which in raw mode is left to the program. */
class TypedLine {
  readonly #characters: string[] = []

  get text(): string {
    return this.#characters.join('')
  }

  /** True when the line has ended. */
  type(text: string): boolean {
    for (const character of text) {
      if (ENDS.has(character)) return true
      if (character === CTRL_C) process.exit(130)
      if (BACKSPACES.has(character)) this.#characters.pop()
      else this.#characters.push(character)
    }
    if (this.#characters.length > MAX_LINE) throw new Error('the secret is too long')
    return false
  }
}

/** The first line of standard input. */
export async function readSecret(): Promise<string> {
  let text = ''
  for await (const piece of process.stdin.setEncoding('utf8')) {
    text += piece as string
    const end = text.search(/\r?\n/)
    if (end >= 0) return text.slice(0, end)
    if (text.length > MAX_LINE) throw new Error('the secret is too long')
  }
  return text
}
