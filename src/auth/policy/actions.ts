import { Evaluation } from './evaluation.ts'
import { Text } from './glob.ts'
import { compilePattern } from './pattern.ts'

/** What an action is about, and so what a statement's resources must be. */
export type ActionTarget = 'bucket' | 'object'

const OBJECT_ACTIONS = [
  'AbortMultipartUpload',
  'BypassGovernanceRetention',
  'DeleteObject',
  'DeleteObjectTagging',
  'DeleteObjectVersion',
  'DeleteObjectVersionTagging',
  'GetObject',
  'GetObjectAcl',
  'GetObjectAttributes',
  'GetObjectLegalHold',
  'GetObjectRetention',
  'GetObjectTagging',
  'GetObjectVersion',
  'GetObjectVersionAttributes',
  'GetObjectVersionTagging',
  'ListMultipartUploadParts',
  'PutObject',
  'PutObjectAcl',
  'PutObjectLegalHold',
  'PutObjectRetention',
  'PutObjectTagging',
  'PutObjectVersionTagging',
  'RestoreObject',
]

const BUCKET_ACTIONS = [
  'CreateBucket',
  'DeleteBucket',
  'DeleteBucketPolicy',
  'DeleteBucketWebsite',
  'GetAccelerateConfiguration',
  'GetAnalyticsConfiguration',
  'GetBucketAcl',
  'GetBucketCORS',
  'GetBucketLocation',
  'GetBucketLogging',
  'GetBucketNotification',
  'GetBucketObjectLockConfiguration',
  'GetBucketOwnershipControls',
  'GetBucketPolicy',
  'GetBucketPolicyStatus',
  'GetBucketPublicAccessBlock',
  'GetBucketRequestPayment',
  'GetBucketTagging',
  'GetBucketVersioning',
  'GetBucketWebsite',
  'GetEncryptionConfiguration',
  'GetIntelligentTieringConfiguration',
  'GetInventoryConfiguration',
  'GetLifecycleConfiguration',
  'GetMetricsConfiguration',
  'GetReplicationConfiguration',
  'ListBucket',
  'ListBucketMultipartUploads',
  'ListBucketVersions',
  'PutAccelerateConfiguration',
  'PutAnalyticsConfiguration',
  'PutBucketAcl',
  'PutBucketCORS',
  'PutBucketLogging',
  'PutBucketNotification',
  'PutBucketObjectLockConfiguration',
  'PutBucketOwnershipControls',
  'PutBucketPolicy',
  'PutBucketPublicAccessBlock',
  'PutBucketRequestPayment',
  'PutBucketTagging',
  'PutBucketVersioning',
  'PutBucketWebsite',
  'PutEncryptionConfiguration',
  'PutIntelligentTieringConfiguration',
  'PutInventoryConfiguration',
  'PutLifecycleConfiguration',
  'PutMetricsConfiguration',
  'PutReplicationConfiguration',
]

const EVERY_ACTION = 's3:*'

/** Actions a policy can name. VersityGW counts `s3:*` itself among those of objects, so that `s3:?` is a known action. */
const TARGETS: ReadonlyMap<string, ActionTarget> = new Map([
  [EVERY_ACTION, 'object'],
  ...OBJECT_ACTIONS.map((name) => [`s3:${name}`, 'object'] as const),
  ...BUCKET_ACTIONS.map((name) => [`s3:${name}`, 'bucket'] as const),
])

/**
 * Names of actions, with wildcards, case-sensitive. Which of the known actions they cover is found out once, so that asking is
 * one look-up.
 */
export class ActionList {
  readonly #covered = new Set<string>()
  #all = false
  readonly #targets = new Set<ActionTarget>()

  /** False where no action has this name. */
  add(name: string): boolean {
    if (name === EVERY_ACTION) {
      this.#all = true
      return true
    }
    let kind = WILDCARD.test(name) ? undefined : TARGETS.get(name)
    if (kind !== undefined) {
      this.#covered.add(name)
      this.#targets.add(kind)
      return true
    }
    if (!WILDCARD.test(name) || !name.startsWith('s3:')) return false
    const matches = matcherOf(name)
    // Those of objects come first: a pattern that covers actions of both kinds counts as one of objects.
    for (const [action, target] of TARGETS) {
      // Thousands of patterns fit into a policy. What would tell nothing new is not asked.
      if (kind !== undefined && this.#covered.has(action)) continue
      if (!matches(action)) continue
      this.#covered.add(action)
      kind ??= target
    }
    if (kind === undefined) return false
    this.#targets.add(kind)
    return true
  }

  covers(action: string): boolean {
    return this.#all || this.#covered.has(action)
  }

  /** What resources must be there for each of the names to mean something; where `s3:*` is among them, any will do. */
  get targets(): ReadonlySet<ActionTarget> {
    return this.#all ? NONE : this.#targets
  }

  /** What all other actions are about. */
  get otherTargets(): ReadonlySet<ActionTarget> {
    const others = new Set<ActionTarget>()
    for (const [action, target] of TARGETS)
      if (action !== EVERY_ACTION && !this.covers(action)) others.add(target)
    return others
  }
}

const TEXTS = new Map([...TARGETS.keys()].map((action) => [action, new Text(action)]))
const NONE: ReadonlySet<ActionTarget> = new Set()
const WILDCARD = /[*?]/

function matcherOf(name: string): (action: string) => boolean {
  const pattern = compilePattern(name, { wildcards: true, variables: false, keys: new Set() })
  const evaluation = new Evaluation(() => undefined)
  return (action) => {
    const text = TEXTS.get(action)
    return text !== undefined && pattern.matches(text, evaluation)
  }
}
