import { createStoredDocuments, type StoredDocuments } from '../../stored-documents.ts'
import { ActionList } from './actions.ts'
import { parsePolicy } from './parse.ts'
import type { Policy } from './policy.ts'

/** Compiled policies of buckets, so that a request compiles none. One that cannot be read denies everything to everybody. */
export type StoredPolicies = StoredDocuments<Policy>

/** Bytes of documents at most; compiled they take a few times that. */
const MAX_BYTES = 4 * 1024 * 1024

export function createStoredPolicies(maxBytes: number = MAX_BYTES): StoredPolicies {
  return createStoredDocuments(readPolicy, maxBytes)
}

/** A stored policy; see `StoredPolicies`. */
export function readPolicy(bytes: Buffer): Policy {
  try {
    return parsePolicy(bytes)
  } catch {
    return UNREADABLE
  }
}

/** Nobody can have put it through S3. Whoever may bypass policies can replace it. */
const UNREADABLE: Policy = {
  conditionKeys: new Set(),
  statements: [
    {
      name: 'unreadable policy',
      effect: 'Deny',
      principal: { negated: true, names: new Set() },
      action: { negated: true, actions: new ActionList() },
      resource: { negated: true, resources: [] },
      conditions: [],
      fault: 'unreadable policy',
    },
  ],
}
