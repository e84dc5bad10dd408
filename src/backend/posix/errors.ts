import { constants } from 'node:os'
import { S3Error, type S3ErrorCode } from '../../s3/errors.ts'
import { IoError } from '../../io/io-error.ts'
import type { Step } from '../../io/io.ts'

/** What was being done when a step failed: of one errno, it decides which error a client is told. */
export type Place =
  /** Opening the bucket. */
  | 'bucket'
  /** Opening or reading an object. */
  | 'object'
  /** Opening or making the directories above a key that is written. */
  | 'parents'
  /** Giving a finished file its name. */
  | 'name'
  /** Opening an upload or a part of it. */
  | 'upload'
  /** Anything else. */
  | 'other'

type Rule = S3ErrorCode | (Partial<Record<Place, S3ErrorCode>> & { other?: S3ErrorCode })

/**
 * errno → S3 error. What is missing here is InternalError: a bug, or a disk that fails (EIO). A client may retry SlowDown
 * and nothing else; ESTALE is a file that another host replaced on a shared file system, gone at the next try.
 */
const RULES: Readonly<Record<string, Rule>> = {
  ENOENT: {
    bucket: 'NoSuchBucket',
    object: 'NoSuchKey',
    upload: 'NoSuchUpload',
    parents: 'SlowDown',
    name: 'SlowDown',
  },
  ENOTDIR: {
    bucket: 'NoSuchBucket',
    object: 'NoSuchKey',
    parents: 'ObjectParentIsFile',
    name: 'ExistingObjectIsDirectory',
    upload: 'NoSuchUpload',
  },
  // A link, or a path that leaves the bucket through one: openat2 refuses both.
  ELOOP: {
    bucket: 'NoSuchBucket',
    object: 'NoSuchKey',
    parents: 'ObjectParentIsFile',
    upload: 'NoSuchUpload',
  },
  EXDEV: {
    bucket: 'NoSuchBucket',
    object: 'NoSuchKey',
    parents: 'ObjectParentIsFile',
    upload: 'NoSuchUpload',
  },
  EEXIST: { parents: 'ObjectParentIsFile', name: 'PreconditionFailed' },
  EISDIR: { object: 'NoSuchKey', name: 'ExistingObjectIsDirectory' },
  ENOTEMPTY: { name: 'ExistingObjectIsDirectory' },
  // Opening a socket, or a device without a driver.
  ENXIO: { object: 'NoSuchKey' },
  ENODEV: { object: 'NoSuchKey' },
  ENAMETOOLONG: { bucket: 'NoSuchBucket', upload: 'NoSuchUpload', other: 'KeyTooLongError' },
  EACCES: 'AccessDenied',
  EPERM: 'AccessDenied',
  EROFS: 'MethodNotAllowed',
  ENOSPC: 'InsufficientStorage',
  EDQUOT: 'QuotaExceeded',
  EFBIG: 'EntityTooLarge',
  E2BIG: 'MetadataTooLarge',
  ESTALE: 'SlowDown',
  EMFILE: 'SlowDown',
  ENFILE: 'SlowDown',
  ENOMEM: 'SlowDown',
  EAGAIN: 'SlowDown',
  EBUSY: 'SlowDown',
  ETIMEDOUT: 'SlowDown',
  ECANCELED: 'SlowDown',
}

/** What the error is about, for the elements some errors carry. */
export interface Subject {
  readonly bucket: string
  readonly key?: string | undefined
  readonly uploadId?: string | undefined
}

/** Remembers what each step of a chain is for. */
export class Places {
  /** Step, place, step, place …: a chain has few steps, and hardly one of them fails. */
  readonly #places: (Step<unknown> | Place)[] = []

  mark<T>(place: Place, step: Step<T>): Step<T> {
    this.#places.push(step, place)
    return step
  }

  /** The error a client is told; what is no IoError comes back as it is. */
  toS3Error(error: unknown, subject: Subject): unknown {
    const { step } = failureOf(error)
    const at = step === undefined ? -1 : this.#places.indexOf(step)
    const place = at < 0 ? undefined : this.#places[at + 1]
    return toS3Error(error, typeof place === 'string' ? place : 'other', subject)
  }
}

/** What failed; nothing that is no step of a chain has an errno. */
export function failureOf(error: unknown): {
  readonly step: Step<unknown> | undefined
  readonly errno: number
} {
  return error instanceof IoError ? error : { step: undefined, errno: 0 }
}

export function toS3Error(error: unknown, place: Place, subject: Subject): unknown {
  if (!(error instanceof IoError)) return error
  const rule = RULES[error.code]
  const code = typeof rule === 'object' ? (rule[place] ?? rule.other) : rule
  return new S3Error(code ?? 'InternalError', details(code, subject), { cause: error })
}

function details(code: S3ErrorCode | undefined, subject: Subject): Record<string, string> {
  if (code === 'NoSuchBucket') return { BucketName: subject.bucket }
  if (code === 'NoSuchUpload') return { UploadId: subject.uploadId ?? '' }
  if (code === 'PreconditionFailed') return { Condition: 'If-None-Match' }
  if (code === 'KeyTooLongError') {
    return { Size: String(Buffer.byteLength(subject.key ?? '')), MaxSizeAllowed: '1024' }
  }
  return {}
}

/** Whether what was opened was replaced before it had been looked at: worth another try. */
export function isStale(error: unknown): boolean {
  const cause = error instanceof S3Error ? error.cause : error
  return failureOf(cause).errno === constants.errno.ESTALE
}
