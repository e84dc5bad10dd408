import { parseAddressRange } from './address.ts'
import type { Evaluation } from './evaluation.ts'
import { type Json, JsonObject } from './json.ts'
import { FAULT } from './malformed.ts'
import { findOperator, type Operator, type ValueOptions, type ValueTest } from './operators.ts'
import { conditionKey } from './pattern.ts'

/** One key of a statement's Condition block. All of a block's conditions must hold. */
export interface Condition {
  holds(evaluation: Evaluation): boolean
  /** It holds only for callers, or places they call from, that its author has listed. */
  readonly isNarrow: boolean
}

/** Thrown for a block that cannot be understood; `message` is what a client is told. */
export class ConditionFault extends Error {}

/** Compiles `{ operator: { key: value or values } }`; throws ConditionFault. */
export function compileConditions(block: Json, options: ValueOptions): readonly Condition[] {
  // VersityGW takes null for no block at all; so do we.
  if (block === null) return []
  return membersOf(block).flatMap(([operator, keys]) => {
    const compile = findCompiler(operator, options)
    return membersOf(keys).map(([key, values]) => {
      if (!KNOWN_NAMESPACE.test(key)) throw new ConditionFault(FAULT.conditionKey)
      const name = conditionKey(key)
      options.keys.add(name)
      return compile(name, textsOf(values))
    })
  })
}

/** AWS has more of them, for services other than this one. */
const KNOWN_NAMESPACE = /^(?:aws|s3):./i

function membersOf(json: Json): JsonObject['members'] {
  if (!(json instanceof JsonObject)) throw new ConditionFault(FAULT.json)
  // Which of two is meant nobody knows, and one that is dropped would widen what is granted.
  const names = new Set(json.members.map(([name]) => name))
  if (names.size < json.members.length) throw new ConditionFault(FAULT.json)
  return json.members
}

/** One value or a list of them; numbers and booleans need no quotes. */
function textsOf(json: Json): readonly string[] {
  const values: readonly Json[] = Array.isArray(json) ? json : [json]
  return values.map((value) => {
    if (value === null || typeof value === 'object') throw new ConditionFault(FAULT.json)
    return String(value)
  })
}

const OPERATOR = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/s

type Compiler = (key: string, values: readonly string[]) => Condition

function findCompiler(operatorName: string, options: ValueOptions): Compiler {
  if (operatorName === 'Null') return compileNull
  const [, quantifier, name = '', ifExists] = OPERATOR.exec(operatorName) ?? []
  const operator = findOperator(name)
  if (operator === undefined) throw new ConditionFault(`Invalid Condition type : ${operatorName}`)
  const { negated } = operator
  const withoutKey = ifExists !== undefined
  return (key, values) => {
    const test = compileValues(operator, values, options)
    if (quantifier === 'ForAllValues') return new ForAllValues(key, test, negated)
    const isNarrow = !negated && !withoutKey && LISTING_KEYS.has(key) && values.every(isFixed)
    if (quantifier === 'ForAnyValue')
      return new ForAnyValue(key, test, { negated, withoutKey, isNarrow })
    return new OneValue(key, test, { negated, withoutKey: withoutKey || negated, isNarrow })
  }
}

function compileValues(
  operator: Operator,
  values: readonly string[],
  options: ValueOptions,
): ValueTest {
  const test = operator.compile(values, options)
  if (test === undefined) throw new ConditionFault(FAULT.conditionValue)
  return (value, evaluation) => {
    // Whatever the operator, it reads the value of the request once, and then the policy's.
    evaluation.spend(value.length * VALUE_STEPS + values.length)
    return test(value, evaluation)
  }
}

/** Reading a date, a number or Base64 out of a header takes as long as so many looks at each of its characters. */
const VALUE_STEPS = 2

/** Keys that tell callers apart, or where they come from: those AWS takes for enough to keep a policy from being public. */
const LISTING_KEYS: ReadonlySet<string> = new Set([
  'aws:principalaccount',
  'aws:principalarn',
  'aws:principalorgid',
  'aws:sourceaccount',
  'aws:sourcearn',
  'aws:sourceip',
  'aws:sourceowner',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:userid',
  'aws:username',
])

/** No wildcard, no variable, and no range that is as good as the whole Internet. */
function isFixed(value: string): boolean {
  const range = parseAddressRange(value)
  if (range === undefined) return !/[*?]|\$\{/.test(value)
  return range.bits >= (range.bytes.length === 4 ? 8 : 32)
}

/** `true`: the key must not be there, nor be empty; `false`: it must be. */
function compileNull(key: string, values: readonly string[]): Condition {
  const wanted = new Set(values.map((value) => value.toLowerCase()))
  for (const value of wanted)
    if (value !== 'true' && value !== 'false') throw new ConditionFault(FAULT.conditionValue)
  return {
    holds: ({ variables }) => wanted.has(isAbsent(variables(key)) ? 'true' : 'false'),
    isNarrow: false,
  }
}

function isAbsent(values: readonly string[] | undefined): values is undefined {
  return values === undefined || values.length === 0
}

interface Outcome {
  readonly negated: boolean
  /** What it says of a request that has no such key. */
  readonly withoutKey: boolean
  readonly isNarrow: boolean
}

/**
 * An operator as it stands. Keys have one value then; of a key with several one is enough, and none may pass where the operator
 * is negated. A negated operator holds where there is no key: what is not there is not equal.
 */
class OneValue implements Condition {
  readonly isNarrow: boolean
  readonly #key: string
  readonly #test: ValueTest
  readonly #outcome: Outcome

  constructor(key: string, test: ValueTest, outcome: Outcome) {
    this.#key = key
    this.#test = test
    this.#outcome = outcome
    this.isNarrow = outcome.isNarrow
  }

  holds(evaluation: Evaluation): boolean {
    const values = evaluation.variables(this.#key)
    if (isAbsent(values)) return this.#outcome.withoutKey
    const passes = values.some((value) => this.#test(value, evaluation))
    return passes !== this.#outcome.negated
  }
}

/** Every value of the request satisfies the operator; so do none at all, and a key that is not there. */
class ForAllValues implements Condition {
  readonly isNarrow = false
  readonly #key: string
  readonly #test: ValueTest
  readonly #negated: boolean

  constructor(key: string, test: ValueTest, negated: boolean) {
    this.#key = key
    this.#test = test
    this.#negated = negated
  }

  holds(evaluation: Evaluation): boolean {
    const values = evaluation.variables(this.#key) ?? []
    return values.every((value) => this.#test(value, evaluation) !== this.#negated)
  }
}

/** At least one value of the request satisfies the operator, also a negated one: without the key nothing does. */
class ForAnyValue implements Condition {
  readonly isNarrow: boolean
  readonly #key: string
  readonly #test: ValueTest
  readonly #outcome: Outcome

  constructor(key: string, test: ValueTest, outcome: Outcome) {
    this.#key = key
    this.#test = test
    this.#outcome = outcome
    this.isNarrow = outcome.isNarrow
  }

  holds(evaluation: Evaluation): boolean {
    const values = evaluation.variables(this.#key)
    if (isAbsent(values)) return this.#outcome.withoutKey
    const { negated } = this.#outcome
    return values.some((value) => this.#test(value, evaluation) !== negated)
  }
}
