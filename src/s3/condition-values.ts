import type { Authentication } from '../auth/authenticate.ts'
import { parseTimestamp } from '../auth/timestamp.ts'
import type { Tags } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'
import { parseTaggingHeader } from './tags.ts'

/** What conditions of a policy are told about a request. */
export interface ConditionFacts {
  readonly request: S3Request
  readonly authentication: Authentication
  readonly region: string
  /** Of the object that is asked for, the source of a copy included. */
  readonly versionId: string | undefined
  /** The tags it has; undefined where the policy does not ask, or there is none. */
  readonly existingTags: Tags | undefined
  /** The tags of a body that sets them; undefined where they come by header or not at all. */
  readonly bodyTags: Tags | undefined
  /** Milliseconds since the epoch. */
  readonly nowMs: number
}

/** A policy may ask for a hundred tags: their header is read once. */
interface SeenFacts extends ConditionFacts {
  headerTags: { readonly tags: Tags | undefined } | undefined
}

/**
 * The values of AWS's condition keys, each looked up when a condition asks for it; undefined where the request has none.
 * What a client may claim about himself (X-Forwarded-For and its like) is in none of them: the address is the socket's.
 */
export function conditionValues(
  given: ConditionFacts,
): (key: string) => readonly string[] | undefined {
  const facts: SeenFacts = { ...given, headerTags: undefined }
  return (key) => {
    const read = VALUES.get(key)
    if (read !== undefined) return listOf(read(facts))
    const slash = key.indexOf('/')
    if (slash > 0) return listOf(tagOf(tagsOf(key.slice(0, slash), facts), key.slice(slash + 1)))
    return key.startsWith('s3:x-amz-') ? listOf(facts.request.headers[key.slice(3)]) : undefined
  }
}

export const EXISTING_TAG = 's3:existingobjecttag/'
export const REQUEST_TAG = 's3:requestobjecttag'

type Value = string | readonly string[] | undefined

const DAY_MS = 86_400_000

const VALUES: ReadonlyMap<string, (facts: SeenFacts) => Value> = new Map<
  string,
  (facts: SeenFacts) => Value
>([
  ['aws:currenttime', ({ nowMs }) => new Date(nowMs).toISOString()],
  ['aws:epochtime', ({ nowMs }) => String(Math.floor(nowMs / 1000))],
  ['aws:principaltype', ({ authentication }) => principalType(authentication)],
  ['aws:referer', ({ request }) => request.headers.referer],
  ['aws:requestedregion', ({ region }) => region],
  ['aws:securetransport', ({ request }) => String(request.scheme === 'https')],
  ['aws:sourceip', ({ request }) => request.clientAddress],
  ['aws:useragent', ({ request }) => request.headers['user-agent']],
  ['aws:userid', ({ authentication }) => authentication.identity.accessKey ?? 'anonymous'],
  ['aws:username', ({ authentication }) => authentication.identity.accessKey],
  ['s3:authtype', ({ authentication }) => AUTH_TYPES[authentication.method]],
  ['s3:delimiter', ({ request }) => request.query.get('delimiter')],
  ['s3:max-keys', ({ request }) => request.query.get('max-keys')],
  ['s3:object-lock-legal-hold', header('x-amz-object-lock-legal-hold')],
  ['s3:object-lock-mode', header('x-amz-object-lock-mode')],
  ['s3:object-lock-remaining-retention-days', remainingDays],
  ['s3:object-lock-retain-until-date', header('x-amz-object-lock-retain-until-date')],
  ['s3:prefix', ({ request }) => request.query.get('prefix')],
  ['s3:requestobjecttagkeys', (facts) => keysOf(requestTags(facts))],
  ['s3:signatureage', signatureAge],
  ['s3:signatureversion', ({ authentication }) => signatureVersion(authentication)],
  ['s3:versionid', ({ versionId }) => versionId],
])

const AUTH_TYPES: Readonly<Record<Authentication['method'], string | undefined>> = {
  header: 'REST-HEADER',
  presigned: 'REST-QUERY-STRING',
  'post-policy': 'POST',
  anonymous: undefined,
}

function listOf(value: Value): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value
}

function header(name: string): (facts: SeenFacts) => Value {
  return ({ request }) => request.headers[name]
}

function principalType({ identity }: Authentication): string {
  return identity.accessKey === undefined ? 'Anonymous' : identity.isRoot ? 'Account' : 'User'
}

function signatureVersion({ method }: Authentication): string | undefined {
  return method === 'anonymous' ? undefined : 'AWS4-HMAC-SHA256'
}

/** Milliseconds since the request was signed. */
function signatureAge({ request, authentication, nowMs }: SeenFacts): string | undefined {
  if (authentication.method === 'anonymous') return undefined
  const date = request.query.get('X-Amz-Date') ?? request.headers['x-amz-date']
  const signedMs = typeof date === 'string' ? parseTimestamp(date) : undefined
  return signedMs === undefined ? undefined : String(Math.max(0, nowMs - signedMs))
}

function remainingDays({ request, nowMs }: SeenFacts): string | undefined {
  const date = request.headers['x-amz-object-lock-retain-until-date']
  const untilMs = typeof date === 'string' ? Date.parse(date) : Number.NaN
  return Number.isNaN(untilMs) ? undefined : String(Math.ceil((untilMs - nowMs) / DAY_MS))
}

function tagsOf(name: string, facts: SeenFacts): Tags | undefined {
  if (`${name}/` === EXISTING_TAG) return facts.existingTags
  return name === REQUEST_TAG ? requestTags(facts) : undefined
}

function tagOf(tags: Tags | undefined, name: string): string | undefined {
  return tags !== undefined && Object.hasOwn(tags, name) ? tags[name] : undefined
}

function requestTags(facts: SeenFacts): Tags | undefined {
  if (facts.bodyTags !== undefined) return facts.bodyTags
  facts.headerTags ??= { tags: readHeaderTags(facts.request) }
  return facts.headerTags.tags
}

/** Tags that cannot be read are none: the request is refused for them once it is allowed. */
function readHeaderTags({ headers }: S3Request): Tags | undefined {
  const tagging = headers['x-amz-tagging']
  if (typeof tagging !== 'string') return undefined
  try {
    return parseTaggingHeader(tagging)
  } catch (error) {
    if (error instanceof S3Error) return undefined
    throw error
  }
}

function keysOf(tags: Tags | undefined): readonly string[] | undefined {
  return tags === undefined ? undefined : Object.keys(tags)
}
