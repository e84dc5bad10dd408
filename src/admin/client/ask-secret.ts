const CTRL_C = '\u0003'
const CTRL_D = '\u0004'
const BACKSPACES = new Set(['\b', '\u007f'])
/** No secret key is as long. */
const MAX_LINE = 4096

/** Whether somebody sits there who can be asked. */
export function isTerminal(): boolean {
  return process.stdin.isTTY
}

/** Asks the terminal; what is typed is not shown. Ctrl-C ends the program, as everywhere. */
export async function askSecret(question: string): Promise<string> {
  process.stderr.write(question)
  const { stdin } = process
  stdin.setRawMode(true)
  let typed: string[] = []
  try {
    for await (const text of stdin.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      for (const character of text as string) {
        if (character === '\r' || character === '\n' || character === CTRL_D) return typed.join('')
        if (character === CTRL_C) process.exit(130)
        if (BACKSPACES.has(character)) typed.pop()
        else typed.push(character)
      }
      if (typed.length > MAX_LINE) throw new Error('the secret is too long')
    }
    return typed.join('')
  } finally {
    typed = []
    stdin.setRawMode(false)
    stdin.pause()
    process.stderr.write('\n')
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
