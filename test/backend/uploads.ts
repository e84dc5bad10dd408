import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type {
  Call,
  ChecksumAlgorithm,
  CompletedPart,
  CompletedUpload,
  Completion,
  NewUpload,
  UploadRef,
  WrittenPart,
} from '../../src/backend/backend.ts'
import { md5, newCall, payloadOf, useBackend, type TestBackend } from './support.ts'

export const BUCKET = 'bucket'
export const KEY = 'dir/object'
/** Every part but the last has at least this size. */
export const MIN = 5 * 1024 * 1024

const NEW_UPLOAD: NewUpload = {
  headers: {},
  userMetadata: {},
  tags: undefined,
  checksum: undefined,
}

function completionOf(parts: readonly CompletedPart[], more: Partial<Completion> = {}): Completion {
  return {
    parts,
    checksumType: undefined,
    checksum: undefined,
    objectSize: undefined,
    precondition: {},
    ...more,
  }
}

export interface Uploads {
  readonly t: TestBackend
  /** In the bucket. */
  readonly at: (...names: string[]) => string
  /** Where the uploads of a key are. */
  readonly uploadsDir: (key?: string) => string
  readonly begin: (upload?: Partial<NewUpload>, key?: string) => Promise<UploadRef>
  readonly sendPart: (
    upload: UploadRef,
    partNumber: number,
    bytes: Uint8Array | string,
    sum?: ChecksumAlgorithm,
  ) => Promise<WrittenPart>
  readonly complete: (
    upload: UploadRef,
    parts: readonly CompletedPart[],
    more?: Partial<Completion>,
    call?: Call,
  ) => Promise<CompletedUpload>
}

/** A new backend with a bucket for each test, and short ways to say what uploads need. */
export function useUploads(): Uploads {
  const t = useBackend()
  const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
  return {
    t,
    at,
    uploadsDir: (key = KEY) => at('.sgwtmp', 'multipart', hashed(key)),
    begin: async (upload = {}, key = KEY) => {
      const ref = { bucket: BUCKET, key }
      const { uploadId } = await t.backend.createUpload(
        ref,
        { ...NEW_UPLOAD, ...upload },
        newCall(),
      )
      return { ...ref, uploadId }
    },
    sendPart: (upload, partNumber, bytes, sum) =>
      t.backend.uploadPart({ ...upload, partNumber }, payloadOf(bytes), sum, newCall()),
    complete: (upload, parts, more = {}, call = newCall()) =>
      t.backend.completeUpload(upload, completionOf(parts, more), call),
  }
}

export function hashed(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** As a client lists it. */
export function listed(
  partNumber: number,
  { etag, checksum }: WrittenPart,
  withChecksum = false,
): CompletedPart {
  const isTold = withChecksum && checksum !== undefined
  return { partNumber, etag, checksums: isTold ? { [checksum.algorithm]: checksum.value } : {} }
}

export function etagOf(...parts: (Uint8Array | string)[]): string {
  return `"${md5(Buffer.concat(parts.map((part) => Buffer.from(md5(part), 'hex'))))}-${parts.length}"`
}
