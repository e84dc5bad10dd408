import { ActionList } from './actions.ts'
import { parsePolicy } from './parse.ts'
import type { Policy } from './policy.ts'

/** Compiled policies of buckets, so that a request compiles none. */
export interface StoredPolicies {
  /** The policy that `bytes`, stored at the bucket, are. One that cannot be read denies everything to everybody. */
  read(bucket: string, bytes: Buffer): Policy
}

/** Bytes of documents at most; compiled they take a few times that. */
const MAX_BYTES = 4 * 1024 * 1024

export function createStoredPolicies(maxBytes: number = MAX_BYTES): StoredPolicies {
  const kept = new Map<string, { readonly bytes: Buffer; readonly policy: Policy }>()
  let size = 0
  const forget = (bucket: string): void => {
    size -= kept.get(bucket)?.bytes.length ?? 0
    kept.delete(bucket)
  }
  return {
    read(bucket, bytes) {
      const known = kept.get(bucket)
      if (known?.bytes.equals(bytes) === true) return known.policy
      forget(bucket)
      const policy = readPolicy(bytes)
      // A copy: what a backend reads into is its own and may be part of something larger.
      kept.set(bucket, { bytes: Buffer.from(bytes), policy })
      size += bytes.length
      for (const oldest of kept.keys()) {
        if (size <= maxBytes) break
        forget(oldest)
      }
      return policy
    },
  }
}

/** A stored policy; see `StoredPolicies.read`. */
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
