import { createHash, randomBytes } from 'node:crypto'
import { S3Error } from '../../s3/errors.ts'

/** Where the gateway keeps what is not finished. Hidden from listings at any depth, and no part of any key. */
export const TMP_DIR = '.sgwtmp'

/** Where a key lies beneath its bucket. Made here and nowhere else. */
export interface KeyPath {
  readonly key: string
  /** The key without the trailing slash of a directory object. */
  readonly path: string
  /** The directory that holds it, beneath the bucket; `''` is the bucket itself. */
  readonly parent: string
  readonly name: string
  /** The key ends in a slash: a directory object. */
  readonly isDirectory: boolean
}

/**
 * The path of a key, which must be in its normal form already (`s3/names.ts`). What is not is refused here once more:
 * whatever mistake is made above, no other path than this ever reaches the kernel.
 */
export function keyPath(key: string): KeyPath {
  const isDirectory = key.endsWith('/')
  const path = isDirectory ? key.slice(0, -1) : key
  if (UNSAFE.test(path)) throw new S3Error('400')
  const slash = path.lastIndexOf('/')
  return {
    key,
    path,
    parent: slash < 0 ? '' : path.slice(0, slash),
    name: path.slice(slash + 1),
    isDirectory,
  }
}

/** A component that is empty, `.`, `..` or the gateway's own; a NUL anywhere. */
const UNSAFE = /(?:^|\/)(?:\.{0,2}|\.sgwtmp)(?:\/|$)|\0/

/** Whether any key could begin with `prefix`, which ends in a slash or is empty. */
export function isPossiblePrefix(prefix: string): boolean {
  return prefix === '' || !UNSAFE.test(prefix.slice(0, -1))
}

/** The directory entry of a bucket beneath the root; NoSuchBucket where no bucket can have that name. */
export function bucketEntry(bucket: string): string {
  if (
    bucket === '' ||
    bucket === '.' ||
    bucket === '..' ||
    bucket === TMP_DIR ||
    bucket.startsWith(UNFINISHED) ||
    bucket.includes('/') ||
    bucket.includes('\0')
  ) {
    throw new S3Error('NoSuchBucket', { BucketName: bucket })
  }
  return bucket
}

const UNFINISHED = `${TMP_DIR}.`

/** A name for the directory of a bucket that is being made, beneath the root. No bucket has such a name. */
export function unfinishedBucket(): string {
  return UNFINISHED + randomBytes(12).toString('hex')
}

export function isUnfinishedBucket(name: string): boolean {
  return /^\.sgwtmp\.[0-9a-f]{24}$/.test(name)
}

/** Names the lock file and the multipart directory of a key. */
export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}
