import type { ObjectRef } from '../backend/backend.ts'
import { S3Error } from './errors.ts'
import { isBucketName, normalizeKey } from './names.ts'
import { decodeQueryText } from './query-text.ts'
import type { S3Settings } from './operation.ts'
import type { S3Request } from './request.ts'
import { parseVersionId } from './version-id.ts'

/** Where a copy comes from. */
export interface CopySourceRef extends ObjectRef {
  readonly versionId: string | undefined
}

const NAME = 'x-amz-copy-source'
const VERSION = '?versionId='

/**
 * `x-amz-copy-source`: an optional slash, bucket, slash, key, and perhaps `?versionId=…`. It is decoded once, by the rules
 * of a query (`+` is a space), and only then split, since some clients escape the slash between bucket and key too.
 */
export function parseCopySource(raw: string, strictBucketNames: boolean): CopySourceRef {
  const mark = raw.lastIndexOf(VERSION)
  const path = decodeQueryText(mark < 0 ? raw : raw.slice(0, mark))
  if (path === undefined) throw invalid('Invalid copy source encoding', raw)
  const start = path.startsWith('/') ? 1 : 0
  const slash = path.indexOf('/', start)
  const bucket = slash < 0 ? path.slice(start) : path.slice(start, slash)
  const key = slash < 0 ? '' : path.slice(slash + 1)
  if (!isBucketName(bucket, strictBucketNames))
    throw invalid('Invalid copy source bucket name', bucket)
  const versionId = mark < 0 ? undefined : parseVersionId(raw.slice(mark + VERSION.length))
  return { bucket, key: sourceKey(key), versionId }
}

/** What the backend is asked for. Where no bucket has versions, `null` is the object itself. */
export function sourceRef(
  { bucket, key, versionId }: CopySourceRef,
  { versioningEnabled }: Pick<S3Settings, 'versioningEnabled'>,
): ObjectRef {
  return {
    bucket,
    key,
    versionId: versioningEnabled || versionId !== 'null' ? versionId : undefined,
  }
}

/** As traces tell it: behind a question mark there may be the query of a presigned URL that somebody pasted. */
export function shownSource({ bucket, key }: CopySourceRef): string {
  const mark = key.indexOf('?')
  return `${bucket}/${mark < 0 ? key : `${key.slice(0, mark)}?REDACTED`}`
}

/** A copy takes its bytes from its source: what it must not have is a body. */
export function refuseBody({ headers }: S3Request): void {
  const length = headers['x-amz-decoded-content-length'] ?? headers['content-length'] ?? '0'
  if (Number(length) === 0 && headers['transfer-encoding'] === undefined) return
  throw new S3Error(
    'InvalidRequest',
    {},
    {
      message:
        'The request included a body. Requests of this type must not include a non-empty body.',
    },
  )
}

/** Whether two references mean one object. Both keys are in their normal form. */
export function isSameObject(a: ObjectRef, b: ObjectRef): boolean {
  return a.bucket === b.bucket && a.key === b.key
}

export function checkCopySize(size: number, threshold: number): void {
  if (size <= threshold) return
  throw new S3Error(
    'InvalidRequest',
    {},
    {
      message: `The specified copy source is larger than the maximum allowable size for a copy source: ${threshold}`,
    },
  )
}

function sourceKey(key: string): string {
  try {
    return normalizeKey(key)
  } catch (cause) {
    throw invalid('Invalid copy source object key', key, cause)
  }
}

function invalid(message: string, value: string, cause?: unknown): S3Error {
  const details =
    value === '' ? { ArgumentName: NAME } : { ArgumentName: NAME, ArgumentValue: value }
  return new S3Error('InvalidArgument', details, { message, cause })
}
