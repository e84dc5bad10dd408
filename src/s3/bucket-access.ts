import { parseAcl } from '../auth/acl.ts'
import type { BucketAccess, PolicyEvaluator } from '../auth/access/decide.ts'
import type { Authentication } from '../auth/authenticate.ts'
import { evaluatePolicy } from '../auth/policy/evaluate.ts'
import type { Policy } from '../auth/policy/policy.ts'
import type { StoredPolicies } from '../auth/policy/stored-policies.ts'
import type { Backend, Call, ObjectRef, Tags } from '../backend/backend.ts'
import { parseObject } from '../go-json.ts'
import { EXISTING_TAG, REQUEST_TAG, conditionValues } from './condition-values.ts'
import { S3Error } from './errors.ts'
import type { S3Request } from './request.ts'

/** What a decision is made with, beside the documents of the bucket. */
export interface AccessSources {
  readonly backend: Backend
  readonly policies: StoredPolicies
  readonly accounts: { readonly rootAccess: string }
  readonly settings: { readonly region: string }
}

/** The request that asks, as far as conditions of policies see it, and the call that reads on its behalf. */
export interface AskingRequest {
  readonly request: S3Request
  readonly authentication: Authentication
  readonly call: Call
  /** Reads the tags of a body that sets them; undefined where it can set none, or they cannot be read. */
  readonly readTags?: (() => Promise<Tags | undefined>) | undefined
}

/** A bucket, or an object in it, that a request asks for. */
export interface AskedResource {
  readonly bucket: string
  readonly key: string | undefined
  readonly versionId: string | undefined
}

const DOCUMENTS = ['acl', 'policy', 'ownership'] as const

/**
 * Reads what decides over a bucket, in one chain; NoSuchBucket where there is none. Only a policy that asks for the tags of
 * the object costs another.
 */
export async function loadBucketAccess(
  resource: AskedResource,
  asking: AskingRequest,
  sources: AccessSources,
): Promise<BucketAccess> {
  const { backend, policies, accounts } = sources
  const { bucket } = resource
  const documents = await backend.getBucketSubresources(bucket, DOCUMENTS, asking.call)
  const stored = documents.get('policy')
  const policy = stored === undefined ? undefined : policies.read(bucket, stored)
  return {
    acl: parseAcl(documents.get('acl'), accounts.rootAccess),
    policy: policy && (await bindPolicy(policy, resource, asking, sources)),
    ownership: documents.get('ownership')?.toString(),
  }
}

async function bindPolicy(
  policy: Policy,
  resource: AskedResource,
  { request, authentication, call, readTags }: AskingRequest,
  { backend, settings }: AccessSources,
): Promise<PolicyEvaluator> {
  const { bucket, key, versionId } = resource
  const wantsTags = key !== undefined && asksFor(policy, EXISTING_TAG)
  const values = conditionValues({
    request,
    authentication,
    region: settings.region,
    versionId,
    existingTags: wantsTags ? await loadTags({ bucket, key }, backend, call) : undefined,
    bodyTags: asksFor(policy, REQUEST_TAG) ? await readTags?.() : undefined,
    nowMs: Date.now(),
  })
  return ({ action, bucket, key }, principal) =>
    evaluatePolicy(policy, { principal, action, bucket, key, conditionValues: values })
}

function asksFor({ conditionKeys }: Policy, prefix: string): boolean {
  for (const key of conditionKeys) if (key.startsWith(prefix)) return true
  return false
}

/** What is not there has no tags: whether it is, is told by the operation. */
async function loadTags(ref: ObjectRef, backend: Backend, call: Call): Promise<Tags | undefined> {
  try {
    const stored = await backend.getObjectSubresource(ref, 'X-Amz-Tagging', call)
    const tags = Object.entries(parseObject(stored) ?? {})
    return Object.fromEntries(tags.filter((tag): tag is [string, string] => isText(tag[1])))
  } catch (error) {
    if (error instanceof S3Error && error.status < 500) return undefined
    throw error
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** Access key of a bucket's owner. */
export async function loadOwner(
  bucket: string,
  { backend, accounts }: AccessSources,
  call: Call,
): Promise<string> {
  const acl = await backend.getBucketSubresource(bucket, 'acl', call)
  return parseAcl(acl, accounts.rootAccess).owner
}
