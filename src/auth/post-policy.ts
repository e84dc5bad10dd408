import { S3Error } from '../s3/errors.ts'
import { parseIsoTime } from '../s3/iso-time.ts'
import type { LengthRange } from '../s3/post-form.ts'

/** What a form is held against. */
export interface PostedForm {
  readonly bucket: string
  /** What its key comes down to: `a/../b` begins with `a/` and is written to `b`. */
  readonly path: string
  readonly fields: ReadonlyMap<string, string>
  /** When it was signed, in milliseconds since the epoch. */
  readonly signedMs: number
  readonly nowMs: number
}

const MAX_AGE_MS = 3600_000
/** Fields that no condition has to allow. */
const UNCONDITIONAL = new Set(['policy', 'x-amz-signature', 'file'])
const IGNORED = 'x-ignore-'
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * Holds a form against the policy that was signed for it, and tells how long its file may be:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
 *
 * Every field has to be allowed by a condition, and so does the bucket, which AWS leaves open: a policy signed for one bucket is
 * good for no other. InvalidPolicyDocument where it is none, AccessDenied where the form is not as it says.
 */
export function checkPostPolicy(
  encoded: string,
  { bucket, path, fields, signedMs, nowMs }: PostedForm,
): LengthRange {
  if (nowMs - signedMs > MAX_AGE_MS) throw expired()
  const { expirationMs, conditions, range } = readPolicy(encoded)
  if (expirationMs <= nowMs) throw expired()
  const values = new Map(fields).set('bucket', Buffer.from(bucket).toString('latin1'))
  const allowed = new Set(conditions.map(({ field }) => field))
  for (const name of ['bucket', ...fields.keys()]) {
    if (allowed.has(name) || UNCONDITIONAL.has(name) || name.startsWith(IGNORED)) continue
    throw denied(`Extra input fields: ${name}`)
  }
  for (const condition of conditions)
    if (!holds(condition, values.get(condition.field)) || leaves(path, condition))
      throw denied(`Policy Condition failed: ${condition.text}`)
  return range
}

/** Of a list of content types each has to begin so. */
function holds({ field, operation, value }: Condition, sent: string | undefined): boolean {
  if (sent === undefined || value === undefined) return false
  if (operation === 'eq') return sent === value
  const parts = field === 'content-type' ? sent.split(',') : [sent]
  return parts.every((part) => part.trimStart().startsWith(value) || part.startsWith(value))
}

/** Whoever may write below a prefix is not to leave it by dots. A key that was signed as it stands may. */
function leaves(path: string, { field, operation, value = '' }: Condition): boolean {
  return field === 'key' && operation === 'starts-with' && !asValue(path).startsWith(value)
}

interface Condition {
  readonly operation: 'eq' | 'starts-with'
  /** In lower case, without the dollar. */
  readonly field: string
  /** In the same form as fields; undefined where it is no text or the dollar is missing: then nothing is like it. */
  readonly value: string | undefined
  /** As the client is told it. */
  readonly text: string
}

interface PostPolicy {
  readonly expirationMs: number
  readonly conditions: readonly Condition[]
  readonly range: LengthRange
}

function readPolicy(encoded: string): PostPolicy {
  const document = parse(encoded)
  const { expiration, conditions } = document
  if (expiration === undefined) throw invalid('Policy missing expiration.')
  if (expiration !== null && typeof expiration !== 'string') throw invalidJson()
  const expires = parseIsoTime(expiration ?? '')
  if (expires === undefined) throw invalid(`Invalid 'expiration' value: '${expiration ?? ''}'`)
  if (conditions === undefined) throw invalid('Policy missing conditions.')
  for (const name of Object.keys(document))
    if (name !== 'expiration' && name !== 'conditions') throw invalid(`Unexpected: "${name}"`)
  if (conditions !== null && !Array.isArray(conditions))
    throw invalid("Invalid 'conditions' value: must be a List.")
  const found: Condition[] = []
  let range: LengthRange = { min: 0, max: Number.MAX_SAFE_INTEGER }
  for (const test of (conditions ?? []) as readonly unknown[]) {
    const condition = readCondition(test)
    if ('field' in condition) found.push(condition)
    else range = within(range, condition)
  }
  return { expirationMs: expires.ms, conditions: found, range }
}

function parse(encoded: string): Readonly<Record<string, unknown>> {
  if (encoded === '') throw missingPolicy()
  if (!BASE64.test(encoded)) throw invalid('invalid Base64 encoding.')
  let document: unknown
  try {
    document = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'))
  } catch {
    // What V8 says of it quotes the policy: it goes no further.
    throw invalidJson()
  }
  if (document === null) throw invalid('Policy missing expiration.')
  if (typeof document !== 'object' || Array.isArray(document)) throw invalidJson()
  return document as Record<string, unknown>
}

function readCondition(test: unknown): Condition | LengthRange {
  if (test === null) throw missingOperation()
  if (Array.isArray(test)) return readTest(test)
  if (typeof test !== 'object') throw invalid('Invalid condition test: must be a List or Object.')
  const [property, ...others] = Object.entries(test)
  if (property === undefined || others.length > 0) {
    throw invalid(
      'Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.',
    )
  }
  const [name, value] = property
  if (typeof value !== 'string') throw invalid('Invalid Simple-Condition: value must be a string.')
  const text = `["eq", ${JSON.stringify(`$${name}`)}, ${JSON.stringify(value)}]`
  return { operation: 'eq', field: asField(name), value: asValue(value), text }
}

function readTest(test: readonly unknown[]): Condition | LengthRange {
  const [operation, first, second] = test
  if (operation === undefined) throw missingOperation()
  if (typeof operation !== 'string') throw invalidJson()
  if (operation !== 'eq' && operation !== 'starts-with' && operation !== 'content-length-range')
    throw invalid(`Invalid Condition: unknown operation '${operation}'.`)
  if (test.length !== 3) throw invalid(`Invalid ${operation}: wrong number of arguments.`)
  if (operation === 'content-length-range') return { min: size(first), max: size(second) }
  if (typeof first !== 'string') throw invalidJson()
  return {
    operation,
    field: asField(first.replace('$', '')),
    value: first.startsWith('$') && typeof second === 'string' ? asValue(second) : undefined,
    text: JSON.stringify(test),
  }
}

/** One character a byte, as fields come. */
function asValue(text: string): string {
  return Buffer.from(text).toString('latin1')
}

function asField(name: string): string {
  return asValue(name).toLowerCase()
}

/** Bytes, as a number or in digits. */
function size(value: unknown): number {
  const isDigits = typeof value === 'string' && /^-?\d{1,15}$/.test(value)
  const bytes = isDigits ? Number(value) : value
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes)) throw invalidJson()
  return bytes
}

function within(a: LengthRange, b: LengthRange): LengthRange {
  return { min: Math.max(a.min, b.min), max: Math.min(a.max, b.max) }
}

function missingPolicy(): S3Error {
  return invalid("Expecting '{' but found End-of-Input")
}

function missingOperation(): S3Error {
  return invalid('Invalid Condition: missing operation identifier.')
}

function invalidJson(): S3Error {
  return invalid('Invalid JSON.')
}

function invalid(fault: string): S3Error {
  return new S3Error('InvalidPolicyDocument', {}, { message: `Invalid Policy: ${fault}` })
}

function expired(): S3Error {
  return denied('Policy expired.')
}

function denied(fault: string): S3Error {
  const message = `Invalid according to Policy: ${fault}`
  return new S3Error('AccessDenied', {}, { message })
}
