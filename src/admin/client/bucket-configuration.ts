import { element, wrap } from '../../http/xml.ts'

/**
 * The CreateBucketConfiguration of `--create-bucket-configuration`: `LocationConstraint=…,Tags=[{Key=…,Value=…},…]` or a
 * JSON object with the same names. Undefined where the text is empty.
 */
export function bucketConfiguration(text: string): string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  const { location, tags } = trimmed.startsWith('{') ? readJson(trimmed) : readShorthand(trimmed)
  const list = tags.map(({ key, value }) =>
    wrap('Tag', element('Key', key) + element('Value', value)),
  )
  return wrap(
    'CreateBucketConfiguration',
    (location === undefined ? '' : element('LocationConstraint', location)) +
      (tags.length === 0 ? '' : wrap('Tags', list.join(''))),
  )
}

interface Configuration {
  readonly location: string | undefined
  readonly tags: readonly Tag[]
}

interface Tag {
  readonly key: string
  readonly value: string
}

function readJson(text: string): Configuration {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw invalid(`invalid JSON input: ${cause instanceof Error ? cause.message : ''}`)
  }
  const {
    LocationConstraint: location,
    Tags: tags = [],
    ...others
  } = parsed as Record<string, unknown>
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalid(`invalid component: ${unknown}`)
  if ((location !== undefined && typeof location !== 'string') || !Array.isArray(tags))
    throw invalid('invalid JSON input')
  return { location, tags: tags.map(readTag) }
}

function readTag(tag: unknown): Tag {
  if (typeof tag === 'object' && tag !== null && 'Key' in tag) {
    const { Key: key, Value: value = '' } = tag as Readonly<Record<string, unknown>>
    if (typeof key === 'string' && typeof value === 'string') return { key, value }
  }
  throw invalid('invalid JSON input')
}

const TAGS = /^Tags=\[(.*)\]$/s
const TAG = /^\{Key=([^,{}]*),Value=([^{}]*)\}$/s

function readShorthand(text: string): Configuration {
  let location: string | undefined
  const tags: Tag[] = []
  for (const component of splitOutside(text)) {
    const [, list] = TAGS.exec(component) ?? []
    if (list !== undefined) tags.push(...splitOutside(list).map(readShortTag))
    else if (component.startsWith('LocationConstraint='))
      location = component.slice('LocationConstraint='.length)
    else throw invalid(`invalid component: ${component}`)
  }
  return { location, tags }
}

function readShortTag(text: string): Tag {
  const [, key, value] = TAG.exec(text) ?? []
  if (key === undefined || value === undefined) throw invalid(`invalid tag: ${text}`)
  return { key, value }
}

/** Splits at the commas that stand in no bracket. */
function splitOutside(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (c === '[' || c === '{') depth++
    else if (c === ']' || c === '}') depth--
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim())
      start = i + 1
    }
    if (depth < 0) throw invalid('invalid string format')
  }
  if (depth !== 0) throw invalid('invalid string format')
  const last = text.slice(start).trim()
  return last === '' && parts.length === 0 ? [] : [...parts, last]
}

function invalid(reason: string): Error {
  return new Error(`invalid create bucket configuration: ${reason}`)
}
