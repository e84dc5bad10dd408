import type { FileStat } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import { DeleteMarkerError } from '../delete-marker.ts'
import { ATTRIBUTE } from './attributes.ts'
import { isRegular } from './file-types.ts'
import type { PosixObjectHead, StoredAttributes } from './head.ts'
import type { KeyPath } from './paths.ts'

/** An object whose file is, or was, open. */
export interface OpenObject {
  readonly head: PosixObjectHead
  readonly stat: FileStat
  readonly attributes: StoredAttributes
  /** Open for `keep`, and for `read` of a large object: the caller closes it. Else -1. */
  readonly fd: number
  /** It is the file under the key, and no superseded version. */
  readonly isCurrent: boolean
  /** All of a small object, for `read`. */
  readonly bytes: Buffer | undefined
}

/** `head` looks only; `read` reads a small object and leaves a large one open; `keep` leaves it open. */
export type Purpose = 'head' | 'read' | 'keep'

/** Objects up to this size are read in the chain that opens them, and leave with the headers in one write. */
export const READ_AT_ONCE = 64 * 1024

/**
 * Why a file is no object, if it is none: regular files are; a directory is one if it was put as one, which its etag tells;
 * a delete marker says that there is none.
 */
export function whyNoObject(
  path: KeyPath,
  stat: FileStat,
  attributes: StoredAttributes,
  isAskedById: boolean,
): S3Error | undefined {
  if (attributes.has(ATTRIBUTE.deleteMarker))
    return new DeleteMarkerError(stat.mtimeMs, isAskedById)
  const isObject = path.isDirectory ? attributes.has(ATTRIBUTE.etag) : isRegular(stat)
  return isObject ? undefined : new S3Error('NoSuchKey')
}
