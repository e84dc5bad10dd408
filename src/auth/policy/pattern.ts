import type { Evaluation } from './evaluation.ts'
import { ANY, compileGlob, type GlobPart, STAR, type Text } from './glob.ts'

/** The values of a condition key in a request; undefined where it has none. */
export type Variables = (key: string) => readonly string[] | undefined

/** What a policy compares a text with. */
export interface Pattern {
  matches(text: Text, evaluation: Evaluation): boolean
}

export interface PatternOptions {
  /** `*` and `?` stand for something. */
  readonly wildcards: boolean
  /** `${aws:username}` does: only in policies of version 2012-10-17. */
  readonly variables: boolean
  /** Compares in lower case; `matches` is then given text in lower case. */
  readonly ignoreCase?: boolean
  /** Learns the keys that variables ask for. */
  readonly keys: Set<string>
}

/**
 * Compiles a text of a policy.
 *
 * `${*}`, `${?}` and `${$}` are these characters themselves. `${key}` is the key's value, taken literally, also where it
 * has wildcards in it; `${key, 'text'}` has a default. A variable without a value makes a pattern that matches nothing.
 */
export function compilePattern(text: string, options: PatternOptions): Pattern {
  const parts = splitPattern(text, options)
  if (parts.some((part) => typeof part === 'object'))
    return new VariablePattern(parts, options.ignoreCase)
  return compileGlob(parts as GlobPart[])
}

/** The name a condition key is looked up by: case counts only behind a slash, where a tag's own key stands. */
export function conditionKey(name: string): string {
  const slash = name.indexOf('/')
  return slash < 0 ? name.toLowerCase() : name.slice(0, slash).toLowerCase() + name.slice(slash)
}

interface Variable {
  readonly key: string
  readonly fallback: string | undefined
}

function splitPattern(text: string, options: PatternOptions): (GlobPart | Variable)[] {
  const parts: (GlobPart | Variable)[] = []
  // Behind the last brace none closes: to look for it at every `${` would take the square of the text's length.
  const closed = options.variables ? text.lastIndexOf('}') + 1 : 0
  let end = 0
  const addLiteral = (literal: string): void => {
    if (literal !== '') parts.push(options.ignoreCase === true ? literal.toLowerCase() : literal)
  }
  const addTokens = (region: string, special: RegExp, start: number): void => {
    for (const match of region.matchAll(special)) {
      const [token] = match
      if (token.length === 1 && !options.wildcards) continue
      addLiteral(text.slice(end, start + match.index))
      end = start + match.index + token.length
      if (token === '*') parts.push(STAR)
      else if (token === '?') parts.push(ANY)
      else parts.push(readVariable(token.slice(2, -1), options.keys))
    }
  }
  if (closed > 0) addTokens(text.slice(0, closed), SPECIAL_OR_VARIABLE, 0)
  addTokens(closed > 0 ? text.slice(closed) : text, SPECIAL, closed)
  addLiteral(text.slice(end))
  return parts
}

const SPECIAL = /[*?]/g
const SPECIAL_OR_VARIABLE = /[*?]|\$\{[^}]*\}/g
const DEFAULTED = /^([^,]*),\s*'([^']*)'\s*$/

function readVariable(inner: string, keys: Set<string>): string | Variable {
  if (inner === '*' || inner === '?' || inner === '$') return inner
  const [, name = inner, fallback] = DEFAULTED.exec(inner) ?? []
  const key = conditionKey(name.trim())
  keys.add(key)
  return { key, fallback }
}

class VariablePattern implements Pattern {
  readonly #parts: readonly (GlobPart | Variable)[]
  readonly #ignoreCase: boolean

  constructor(parts: readonly (GlobPart | Variable)[], ignoreCase = false) {
    this.#parts = parts
    this.#ignoreCase = ignoreCase
  }

  matches(text: Text, evaluation: Evaluation): boolean {
    const parts: GlobPart[] = []
    let shortest = 0
    evaluation.spend(this.#parts.length * PART_STEPS)
    for (const part of this.#parts) {
      const value = typeof part === 'object' ? valueOf(part, evaluation.variables) : part
      if (value === undefined) return false
      if (typeof value !== 'string') parts.push(value)
      else {
        const literal = this.#ignoreCase ? value.toLowerCase() : value
        shortest += literal.length
        // A dozen of them would else make a text of many times what a request can hold.
        if (shortest > text.text.length) return false
        evaluation.spend(literal.length * LITERAL_STEPS)
        parts.push(literal)
      }
    }
    return compileGlob(parts).matches(text, evaluation)
  }
}

/** What it costs to look up a variable and to compile what stands for it, in steps of an evaluation. */
const PART_STEPS = 30
const LITERAL_STEPS = 4

/** No key of an object and no name is longer, and what a client sends in a header shall not cost more than they do. */
const MAX_VALUE = 1024

/** Only a key of one value can stand in a text. */
function valueOf({ key, fallback }: Variable, variables: Variables): string | undefined {
  const values = variables(key)
  const value = values?.length === 1 ? values[0] : fallback
  return value === undefined || value.length > MAX_VALUE ? undefined : value
}
