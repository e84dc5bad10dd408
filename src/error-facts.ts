/** What may be told of an error in a log or a report: an allow-list, because errors quote what they were given. */
export interface ErrorFacts {
  /** Name of its class. */
  readonly type: string
  /** Without what it quotes: see `safeMessage`. */
  readonly message: string
  readonly code?: string
  readonly syscall?: string
  /** Lines of the stack, without the message that V8 puts above them. */
  readonly stack: readonly string[]
  readonly cause?: ErrorFacts
}

/** Causes of causes beyond this are left out. */
const MAX_CAUSES = 5
const MAX_MESSAGE = 500
const MAX_FRAMES = 50

export function errorFacts(thrown: unknown): ErrorFacts {
  return factsOf(thrown, MAX_CAUSES)
}

function factsOf(thrown: unknown, causes: number): ErrorFacts {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: 'no Error', stack: [] }
  const code = word(Reflect.get(thrown, 'code'))
  const syscall = word(Reflect.get(thrown, 'syscall'))
  return {
    type: word(thrown.name) ?? 'Error',
    message: safeMessage(thrown.message),
    ...(code === undefined ? {} : { code }),
    ...(syscall === undefined ? {} : { syscall }),
    stack: framesOf(thrown.stack),
    ...(thrown.cause === undefined || causes === 0
      ? {}
      : { cause: factsOf(thrown.cause, causes - 1) }),
  }
}

/** A name that a program gives to things; anything else is data. */
function word(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z_][\w.:-]{0,63}$/.test(value) ? value : undefined
}

/**
 * The message without anything in quotes or brackets, without queries of URLs and without what looks like a key: JSON.parse
 * quotes the body it could not read, Node the argument it did not like, and URLs hold signatures.
 */
function safeMessage(message: string): string {
  return message
    .slice(0, MAX_MESSAGE * 4)
    .replaceAll(/"[^"]*"?|'[^']*'(?![a-z])|`[^`]*`?/g, '"…"')
    .replaceAll(/\?\S*/g, '?…')
    .replaceAll(/[A-Za-z0-9+/=_]{32,}/g, '…')
    .replaceAll(/\s+/g, ' ')
    .slice(0, MAX_MESSAGE)
}

function framesOf(stack: string | undefined): readonly string[] {
  return (stack ?? '')
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim())
}
