import { S3Error } from '../../s3/errors.ts'
import { ActionList } from './actions.ts'
import { compileConditions, type Condition, ConditionFault } from './conditions.ts'
import {
  readActions,
  readDraft,
  readPrincipal,
  readResources,
  type StatementDraft,
} from './draft.ts'
import { type JsonObject, parseJson } from './json.ts'
import { FAULT, malformedPolicy } from './malformed.ts'
import type { ValueOptions } from './operators.ts'
import { compilePattern } from './pattern.ts'
import type {
  ActionElement,
  Policy,
  PrincipalElement,
  ResourceElement,
  Statement,
} from './policy.ts'

const OPENING_BRACE = 0x7b
const OLD_VERSION = '2008-10-17'
/** Only here do variables mean anything. */
const NEW_VERSION = '2012-10-17'

/**
 * Reads and compiles a policy document; throws MalformedPolicy. What depends on the bucket and on the accounts there are
 * is `checkPolicy`'s.
 */
export function parsePolicy(bytes: Buffer): Policy {
  if (bytes[0] !== OPENING_BRACE) throw malformedPolicy(FAULT.noObject)
  const { statements: drafts, version = OLD_VERSION } = readDraft(readJson(bytes))
  if (drafts === undefined) throw malformedPolicy(FAULT.noStatement)
  if (drafts.length === 0) throw malformedPolicy(FAULT.emptyStatement)
  if (version !== OLD_VERSION && version !== NEW_VERSION) throw malformedPolicy(FAULT.version)
  const conditionKeys = new Set<string>()
  const options = { variables: version === NEW_VERSION, keys: conditionKeys }
  const statements = drafts.map((draft, i) => new StatementCompiler(draft, options).compile(i))
  return { statements, conditionKeys }
}

function readJson(bytes: Buffer): JsonObject {
  try {
    return parseJson(bytes.toString('utf8')) as JsonObject
  } catch (cause) {
    throw malformedPolicy(FAULT.json, cause)
  }
}

/**
 * What VersityGW passes over is looked at here; the first thing wrong with it becomes the statement's fault. A Not form that
 * cannot be read excludes nobody and nothing, conditions that cannot be read hold: so a Deny denies.
 */
class StatementCompiler {
  readonly #draft: StatementDraft
  readonly #options: ValueOptions
  #fault: string | undefined

  constructor(draft: StatementDraft, options: ValueOptions) {
    this.#draft = draft
    this.#options = options
  }

  compile(place: number): Statement {
    const draft = this.#draft
    const principal = this.#principal()
    const action = this.#action()
    const resource = this.#resource()
    const conditions = this.#conditions()
    return {
      name: draft.sid === '' ? String(place) : draft.sid,
      effect: draft.effect,
      principal,
      action,
      resource,
      conditions,
      fault: this.#fault,
    }
  }

  /** AWS has no NotPrincipal with Allow: it would grant to strangers. One without names would name nobody. */
  #principal(): PrincipalElement | undefined {
    const { principal, notPrincipal, effect } = this.#draft
    if (principal === undefined && notPrincipal === undefined) this.#fault ??= FAULT.principal
    if (notPrincipal === undefined || this.#isTwice(principal, FAULT.principal))
      return principal && { negated: false, names: new Set(principal) }
    const names = this.#try(() => readPrincipal(notPrincipal))
    if (effect === 'Allow' || names?.includes('*') === true) this.#fault ??= FAULT.principal
    return { negated: true, names: new Set(names) }
  }

  #action(): ActionElement | undefined {
    const { action, notAction } = this.#draft
    if (action === undefined && notAction === undefined) this.#fault ??= FAULT.action
    if (notAction === undefined || this.#isTwice(action, FAULT.action))
      return action && { negated: false, actions: action }
    const actions = this.#try(() => readActions(notAction))
    return { negated: true, actions: actions ?? new ActionList() }
  }

  #resource(): ResourceElement | undefined {
    const { resource, notResource } = this.#draft
    if (resource === undefined && notResource === undefined) this.#fault ??= FAULT.resource
    if (notResource === undefined || this.#isTwice(resource, FAULT.resource))
      return resource && { negated: false, resources: resource.map((text) => this.#pattern(text)) }
    const texts = this.#try(() => readResources(notResource)) ?? []
    return { negated: true, resources: texts.map((text) => this.#pattern(text)) }
  }

  #conditions(): readonly Condition[] {
    const { condition = null, isRepeated } = this.#draft
    const conditions = this.#try(() => compileConditions(condition, this.#options))
    if (isRepeated) this.#fault ??= FAULT.json
    return isRepeated ? [] : (conditions ?? [])
  }

  /** An element and its Not form exclude each other. */
  #isTwice(element: unknown, fault: string): boolean {
    if (element === undefined) return false
    this.#fault ??= fault
    return true
  }

  #pattern(text: string): ResourceElement['resources'][number] {
    const path = cleanPath(text)
    return { text, pattern: compilePattern(path, { wildcards: true, ...this.#options }) }
  }

  #try<T>(compile: () => T): T | undefined {
    try {
      return compile()
    } catch (error) {
      if (!(error instanceof ConditionFault) && !(error instanceof S3Error)) throw error
      this.#fault ??= error.message
      return undefined
    }
  }
}

/** The form keys are compared in (see `normalizeKey`): `a//b`, `./a/b` and `x/../a/b` are all `a/b`. */
function cleanPath(text: string): string {
  if (!UNCLEAN.test(`/${text}/`)) return text
  const components: string[] = []
  for (const component of text.split('/')) {
    if (component === '..') components.pop()
    else if (component !== '' && component !== '.') components.push(component)
  }
  const path = components.join('/')
  return text.endsWith('/') ? `${path}/` : path
}

const UNCLEAN = /\/(?:\.{0,2})\/./
