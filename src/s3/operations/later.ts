import { AUTHENTICATE, onBucket, onObject, signedOnly, type AccessRules } from '../access-rules.ts'
import type { Operation, Route } from '../operation.ts'
import { notImplemented } from './not-implemented.ts'

/** Operations that later issues bring: each entry is replaced by a file of its own. */

type Method = Route['method']
type Entry = readonly [name: string, query: NonNullable<Route['query']>, action?: string]

const family = (
  method: Method,
  target: Route['target'],
  entries: readonly Entry[],
): readonly Operation[] =>
  entries.map(([name, query, action = name]) =>
    notImplemented(name, { method, target, query }, accessTo(name, method, target, `s3:${action}`)),
  )

/** What S3 tells anonymous callers of these. */
const REFUSALS: Readonly<Record<string, string>> = {
  PutObjectAcl: AUTHENTICATE,
}

/** Sub-resources that VersityGW does not implement either: accounts are told so before anything else. */
const UNSUPPORTED =
  /Analytics|Encryption|IntelligentTiering|Inventory|Lifecycle|Logging|RequestPayment|Metrics|Replication|PublicAccessBlock|Notification|Accelerate/

function accessTo(
  name: string,
  method: Method,
  target: Route['target'],
  action: string,
): AccessRules {
  const reads = method === 'GET'
  const acl = reads ? 'READ_ACP' : 'WRITE_ACP'
  const permission = name.endsWith('Acl') ? acl : reads ? 'READ' : 'WRITE'
  const access = target === 'bucket' ? onBucket(action, permission) : onObject(action, permission)
  const refusal = REFUSALS[name]
  if (refusal !== undefined) return signedOnly(access, refusal)
  return UNSUPPORTED.test(name) ? { ...access, openToAccounts: true } : access
}

/** Families stand apart where operations that exist stand between them in the order of upstream's routes. */
export const bucketPuts = family('PUT', 'bucket', [
  ['PutBucketAnalyticsConfiguration', 'analytics', 'PutAnalyticsConfiguration'],
  ['PutBucketEncryption', 'encryption', 'PutEncryptionConfiguration'],
  [
    'PutBucketIntelligentTieringConfiguration',
    'intelligent-tiering',
    'PutIntelligentTieringConfiguration',
  ],
  ['PutBucketInventoryConfiguration', 'inventory', 'PutInventoryConfiguration'],
  ['PutBucketLifecycleConfiguration', 'lifecycle', 'PutLifecycleConfiguration'],
  ['PutBucketLogging', 'logging'],
  ['PutBucketRequestPayment', 'requestPayment'],
  ['PutBucketMetricsConfiguration', 'metrics', 'PutMetricsConfiguration'],
  ['PutBucketReplication', 'replication', 'PutReplicationConfiguration'],
  ['PutPublicAccessBlock', 'publicAccessBlock', 'PutBucketPublicAccessBlock'],
  ['PutBucketNotificationConfiguration', 'notification', 'PutBucketNotification'],
  ['PutBucketAccelerateConfiguration', 'accelerate', 'PutAccelerateConfiguration'],
])

export const bucketDeletes = family('DELETE', 'bucket', [
  ['DeleteBucketAnalyticsConfiguration', 'analytics', 'PutAnalyticsConfiguration'],
  ['DeleteBucketEncryption', 'encryption', 'PutEncryptionConfiguration'],
  [
    'DeleteBucketIntelligentTieringConfiguration',
    'intelligent-tiering',
    'PutIntelligentTieringConfiguration',
  ],
  ['DeleteBucketInventoryConfiguration', 'inventory', 'PutInventoryConfiguration'],
  ['DeleteBucketLifecycle', 'lifecycle', 'PutLifecycleConfiguration'],
  ['DeleteBucketMetricsConfiguration', 'metrics', 'PutMetricsConfiguration'],
  ['DeleteBucketReplication', 'replication', 'PutReplicationConfiguration'],
  ['DeletePublicAccessBlock', 'publicAccessBlock', 'PutBucketPublicAccessBlock'],
])

export const bucketGetsAfterPolicyStatus = family('GET', 'bucket', [
  ['GetBucketAnalyticsConfiguration', ['analytics', 'id'], 'GetAnalyticsConfiguration'],
  ['ListBucketAnalyticsConfigurations', 'analytics', 'GetAnalyticsConfiguration'],
  ['GetBucketEncryption', 'encryption', 'GetEncryptionConfiguration'],
  [
    'GetBucketIntelligentTieringConfiguration',
    ['intelligent-tiering', 'id'],
    'GetIntelligentTieringConfiguration',
  ],
  [
    'ListBucketIntelligentTieringConfigurations',
    'intelligent-tiering',
    'GetIntelligentTieringConfiguration',
  ],
  ['GetBucketInventoryConfiguration', ['inventory', 'id'], 'GetInventoryConfiguration'],
  ['ListBucketInventoryConfigurations', 'inventory', 'GetInventoryConfiguration'],
  ['GetBucketLifecycleConfiguration', 'lifecycle', 'GetLifecycleConfiguration'],
  ['GetBucketLogging', 'logging'],
  ['GetBucketRequestPayment', 'requestPayment'],
  ['GetBucketMetricsConfiguration', ['metrics', 'id'], 'GetMetricsConfiguration'],
  ['ListBucketMetricsConfigurations', 'metrics', 'GetMetricsConfiguration'],
  ['GetBucketReplication', 'replication', 'GetReplicationConfiguration'],
  ['GetPublicAccessBlock', 'publicAccessBlock', 'GetBucketPublicAccessBlock'],
  ['GetBucketNotificationConfiguration', 'notification', 'GetBucketNotification'],
  ['GetBucketAccelerateConfiguration', 'accelerate', 'GetAccelerateConfiguration'],
])

export const objectGets = family('GET', 'object', [['GetObjectAcl', 'acl']])

export const objectPosts = family('POST', 'object', [['RestoreObject', 'restore']])

export const objectPuts = family('PUT', 'object', [['PutObjectAcl', 'acl']])
