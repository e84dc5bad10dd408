import { isExplicitDeny, type Right, type Verdict } from '../auth/access/decide.ts'
import type { NeededRight } from './access-rules.ts'

/** What a caller may do that the request's head does not tell: to keys in its body, to what a copy's source turns out to be. */
export interface KeyAccess {
  /** Whether he may use the right on the bucket as a whole; a single key may be denied to him all the same. */
  readonly onBucket: boolean
  /** `key` is in its normal form. */
  mayUse(key: string, versionId?: string): boolean
  /** Whether he may read the tags of a copy's source and hang them on the copy. */
  readonly copiesTags: boolean
}

/** For callers who may do everything, and operations that name their key in the request's head. */
export const EVERY_KEY: KeyAccess = { onBucket: true, mayUse: () => true, copiesTags: true }

/** For who may copy what has no tags. */
export const WITHOUT_TAGS: KeyAccess = { ...EVERY_KEY, copiesTags: false }

/**
 * Judges key by key where a policy decides. A grant on the bucket's own ARN covers its keys here, as it does in VersityGW,
 * which asks for nothing else; one on the keys is as good, and a Deny on either counts.
 */
export class PolicyKeyAccess implements KeyAccess {
  /** Keys of a body are not copied. */
  readonly copiesTags = false
  readonly #needed: NeededRight
  readonly #bucket: string
  readonly #judge: (right: Right) => Verdict
  /** By action, on the bucket itself. */
  readonly #onBucket = new Map<string, Verdict>()

  constructor(needed: NeededRight, bucket: string, judge: (right: Right) => Verdict) {
    this.#needed = needed
    this.#bucket = bucket
    this.#judge = judge
  }

  get onBucket(): boolean {
    return this.bucketVerdict().allowed
  }

  mayUse(key: string, versionId?: string): boolean {
    const { action, versionAction = action } = this.#needed
    const asked = versionId === undefined || versionId === '' ? action : versionAction
    const onBucket = this.bucketVerdict(asked)
    if (isExplicitDeny(onBucket)) return false
    const onKey = this.#ask(asked, key)
    return onKey.allowed || (onBucket.allowed && !isExplicitDeny(onKey))
  }

  bucketVerdict(action = this.#needed.action): Verdict {
    const known = this.#onBucket.get(action)
    if (known !== undefined) return known
    const verdict = this.#ask(action, undefined)
    this.#onBucket.set(action, verdict)
    return verdict
  }

  #ask(action: string, key: string | undefined): Verdict {
    return this.#judge({ action, permission: this.#needed.permission, bucket: this.#bucket, key })
  }
}
