import { ActionList } from './actions.ts'
import { type Json, JsonObject } from './json.ts'
import { FAULT, malformedPolicy } from './malformed.ts'

/** A policy document as it is written; nothing of it is compiled yet, because what a text means depends on the version. */
export interface DocumentDraft {
  version: string | undefined
  statements: readonly StatementDraft[] | undefined
}

export interface StatementDraft {
  sid: string
  effect: string
  principal: readonly string[] | undefined
  action: ActionList | undefined
  resource: readonly string[] | undefined
  /** Parts that VersityGW does not look at. Undefined where they are not there. */
  notPrincipal: Json | undefined
  notAction: Json | undefined
  notResource: Json | undefined
  condition: Json | undefined
  /** One of those four stands there twice. */
  isRepeated: boolean
}

/**
 * Reads members in the order they are written; of two equal ones the last counts, and their names may be in any case: so
 * VersityGW does. Throws MalformedPolicy.
 *
 * A principal, action or resource that is none ends it at once; another member of a wrong type is told only when all has been
 * read and nothing else was wrong.
 */
export function readDraft(document: JsonObject): DocumentDraft {
  const reader = new DraftReader()
  const draft = reader.readDocument(document)
  if (reader.hasWrongType) throw malformedPolicy(FAULT.json)
  return draft
}

/** Names of members. Unicode's folding: VersityGW knows `ſ` for an s. */
const NAME = {
  version: /^version$/iu,
  statement: /^statement$/iu,
  sid: /^sid$/iu,
  effect: /^effect$/iu,
  principal: /^principal$/iu,
  action: /^action$/iu,
  resource: /^resource$/iu,
  aws: /^aws$/iu,
}

class DraftReader {
  hasWrongType = false

  readDocument({ members }: JsonObject): DocumentDraft {
    const draft: DocumentDraft = { version: undefined, statements: undefined }
    for (const [name, value] of members) {
      if (NAME.version.test(name)) draft.version = this.#text(value, undefined)
      else if (NAME.statement.test(name)) draft.statements = this.#statements(value)
    }
    return draft
  }

  #statements(value: Json): readonly StatementDraft[] | undefined {
    if (value === null) return undefined
    if (Array.isArray(value)) return value.map((json: Json) => this.#statement(json))
    this.hasWrongType = true
    return undefined
  }

  #statement(json: Json): StatementDraft {
    const draft = emptyStatement()
    if (json instanceof JsonObject)
      for (const [name, value] of json.members) this.#readMember(draft, name, value)
    else if (json !== null) this.hasWrongType = true
    return draft
  }

  #readMember(draft: StatementDraft, name: string, value: Json): void {
    if (NAME.effect.test(name)) draft.effect = this.#text(value, draft.effect)
    else if (NAME.principal.test(name)) draft.principal = readPrincipal(value)
    else if (NAME.action.test(name)) draft.action = readActions(value)
    else if (NAME.resource.test(name)) draft.resource = readResources(value)
    else if (NAME.sid.test(name)) draft.sid = typeof value === 'string' ? value : ''
    else readUnseenMember(draft, name, value)
  }

  /** Of null nothing is taken. */
  #text<T>(value: Json, before: T): string | T {
    if (typeof value === 'string') return value
    if (value !== null) this.hasWrongType = true
    return before
  }
}

function emptyStatement(): StatementDraft {
  return {
    sid: '',
    effect: '',
    principal: undefined,
    action: undefined,
    resource: undefined,
    notPrincipal: undefined,
    notAction: undefined,
    notResource: undefined,
    condition: undefined,
    isRepeated: false,
  }
}

const UNSEEN_NAMES = ['notPrincipal', 'notAction', 'notResource', 'condition'] as const

function readUnseenMember(draft: StatementDraft, name: string, value: Json): void {
  const known = UNSEEN_NAMES.find((unseen) => unseen.toLowerCase() === name.toLowerCase())
  if (known === undefined) return
  if (draft[known] !== undefined) draft.isRepeated = true
  draft[known] = value
}

/** Access keys, by themselves or as `AWS`; throws MalformedPolicy. */
export function readPrincipal(value: Json): readonly string[] {
  const names = value instanceof JsonObject ? awsMember(value) : value
  const principals = names === null || names === '' ? [] : textsOf(names)
  if (principals.length === 0) throw malformedPolicy(FAULT.principal)
  return principals
}

/** Other kinds of principal there are none, so that what is said of them is passed over. */
function awsMember({ members }: JsonObject): Json {
  return members.findLast(([name]) => NAME.aws.test(name))?.[1] ?? null
}

/** Names of known actions; throws MalformedPolicy. */
export function readActions(value: Json): ActionList {
  const actions = new ActionList()
  const names = new Set(value === null ? [] : textsOf(value))
  if (names.size === 0 || ![...names].every((name) => actions.add(name)))
    throw malformedPolicy(FAULT.action)
  return actions
}

const ARN_PREFIX = 'arn:aws:s3:::'
const RESOURCE_ARN = /^arn:aws:s3:::[^/]/

/** What follows `arn:aws:s3:::`; throws MalformedPolicy. */
export function readResources(value: Json): readonly string[] {
  const arns = value === null ? [] : textsOf(value)
  if (arns.length === 0 || !arns.every((arn) => RESOURCE_ARN.test(arn)))
    throw malformedPolicy(FAULT.resource)
  return arns.map((arn) => arn.slice(ARN_PREFIX.length))
}

/** A text or a list of them, null being an empty one. */
function textsOf(value: Json): readonly string[] {
  const values: readonly Json[] = Array.isArray(value) ? value : [value]
  return values.map((text) => {
    if (typeof text === 'string') return text
    if (text === null) return ''
    throw malformedPolicy(FAULT.json)
  })
}
