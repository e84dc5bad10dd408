import type { Backend, Call } from '../../backend/backend.ts'
import { S3Error } from '../errors.ts'
import type { Operation, S3Response } from '../operation.ts'
import type { S3Request } from '../request.ts'
import { fallbackGrant, findGrant, readQuestion, type CorsGrant } from './cors-grant.ts'
import type { CompiledRule, StoredCors } from './stored-cors.ts'

/** What answers pages of other origins. */
export interface CorsParts {
  readonly backend: Backend
  readonly cors: StoredCors
  readonly settings: { readonly corsAllowOrigin: string | undefined }
}

/**
 * When it is settled what a page may see of the answer: what happens before, no page can read. `start`: at once; `caller`: when
 * it is known who asks, or, where that is nobody, that he may; `allowed`: when he may; undefined: never.
 */
export type CorsTurn = 'start' | 'caller' | 'allowed' | undefined

export function corsTurn({ api, access, http }: Operation): CorsTurn {
  if (http.method === 'OPTIONS') return undefined
  if (api === 'Admin') return 'allowed'
  if (http.target === 'service' || access.corsFirst === true) return 'start'
  const isOpen = access.rights.length === 0 && access.makesBucket !== true
  return isOpen || access.openToAccounts === true ? undefined : 'caller'
}

/** What the page that sent the request may see; undefined where there is none, or nothing is said about it. */
export async function grantOrigin(
  { api }: Operation,
  request: S3Request,
  parts: CorsParts,
  call: Call,
): Promise<CorsGrant | undefined> {
  const { corsAllowOrigin } = parts.settings
  const rules = api === 'Admin' ? undefined : await rulesOf(request.bucket, parts, call)
  if (rules === undefined)
    return corsAllowOrigin === undefined ? undefined : fallbackGrant(corsAllowOrigin)
  const { origin } = request.headers
  return origin ? findGrant(rules, readQuestion(request, origin)) : undefined
}

/** What is wrong with the bucket is told by the operation. */
async function rulesOf(
  bucket: string | undefined,
  { backend, cors }: CorsParts,
  call: Call,
): Promise<readonly CompiledRule[] | undefined> {
  if (bucket === undefined) return undefined
  try {
    const stored = await backend.getBucketSubresource(bucket, 'cors', call)
    return stored === undefined ? undefined : cors.read(bucket, stored)
  } catch (error) {
    if (error instanceof S3Error && error.status < 500) return undefined
    throw error
  }
}

/** The answer with what the page may see of it: its ETag, storage class and metadata in any case. */
export function withGrant(response: S3Response, { headers, exposed }: CorsGrant): S3Response {
  const own = response.headers ?? []
  const metadata: string[] = []
  for (let at = 0; at < own.length; at += 2) {
    const name = own[at]?.toLowerCase() ?? ''
    if (name.startsWith('x-amz-meta-')) metadata.push(name)
  }
  const expose = exposeHeaders(exposed, ['ETag', 'x-amz-storage-class', ...metadata.sort()])
  return { ...response, headers: [...own, ...headers, 'Access-Control-Expose-Headers', expose] }
}

/** The names a rule exposes, and those of the others that are not among them. */
export function exposeHeaders(exposed: readonly string[], others: readonly string[]): string {
  const known = new Set(exposed.map((name) => name.toLowerCase()))
  return [...exposed, ...others.filter((name) => !known.has(name.toLowerCase()))].join(', ')
}
