import type { Body, ByteRange, ByteSlice } from './body.ts'
import type { Checksum, ChecksumAlgorithm, ChecksumType } from './checksum.ts'
import type { Span } from '../trace/recorder.ts'
import type { AnyPayload, Payload } from './payload.ts'
import type { PartListing, UploadListPage, UploadListing } from './upload-listing.ts'
import type { VersionListPage, VersionListing } from './version-listing.ts'

// With the rest of the interface, for those who use it.
export type { Body, ByteRange, ByteSlice } from './body.ts'
export type { Checksum, ChecksumAlgorithm, ChecksumType } from './checksum.ts'
export type {
  ListedPart,
  ListedUpload,
  PartListing,
  UploadListPage,
  UploadListing,
} from './upload-listing.ts'

/**
 * A store of buckets and objects. What it stores is S3's; how is its own affair. It knows nothing of HTTP, signatures
 * or policies. Every method throws S3Error for what a client may be told.
 */
export interface Backend {
  /** `backend.type` of the trace contract. */
  readonly type: 'posix'

  /** All buckets in byte order of their names, with the documents of each that are asked for. */
  listBuckets(
    call: Call,
    documents?: readonly BucketSubresource[],
  ): Promise<readonly BucketSummary[]>
  createBucket(bucket: NewBucket, call: Call): Promise<void>
  /** NoSuchBucket unless it exists. */
  headBucket(bucket: string, call: Call): Promise<void>
  deleteBucket(bucket: string, call: Call): Promise<void>
  /** A small document hung on a bucket (acl, policy, …), raw; undefined where there is none. */
  getBucketSubresource(
    bucket: string,
    name: BucketSubresource,
    call: Call,
  ): Promise<Buffer | undefined>
  /** Several of them at once, without those that are not there. */
  getBucketSubresources(
    bucket: string,
    names: readonly BucketSubresource[],
    call: Call,
  ): Promise<ReadonlyMap<string, Buffer>>
  putBucketSubresource(
    bucket: string,
    name: BucketSubresource,
    value: SubresourceValue,
    call: Call,
  ): Promise<void>
  /** Deleting what is not there is no error. */
  deleteBucketSubresource(bucket: string, name: BucketSubresource, call: Call): Promise<void>

  /**
   * Opens an object, lets `select` decide which bytes are wanted, and answers with them. `select` sees the head of the
   * very file that is served; it may throw (304, 412, 416).
   */
  getObject(
    ref: ObjectRef,
    select: (head: ObjectHead) => ByteSlice,
    call: Call,
  ): Promise<{ head: ObjectHead; slice: ByteSlice; body: Body }>
  headObject(ref: ObjectRef, call: Call): Promise<ObjectHead>
  putObject(ref: ObjectRef, object: NewObject, body: AnyPayload, call: Call): Promise<WrittenObject>
  /** AccessDenied where a lock protects any of these now; `deleteObject` finds out by itself. */
  checkDeletable(bucket: string, refs: readonly ObjectRef[], call: Call): Promise<void>
  /**
   * Deleting what is not there is no error. In a bucket with versioning a delete marker takes the object's place, unless one
   * version is named: that is gone for good.
   */
  deleteObject(ref: ObjectRef, precondition: DeletePrecondition, call: Call): Promise<DeletedObject>
  copyObject(
    source: CopySource,
    target: ObjectRef,
    object: CopyTarget,
    call: Call,
  ): Promise<CopiedObject>
  /** A small document hung on an object, raw; undefined where there is none. NoSuchKey where there is no object. */
  getObjectSubresource(
    ref: ObjectRef,
    name: ObjectSubresource,
    call: Call,
  ): Promise<Buffer | undefined>
  /**
   * A function is told the document that is there and says which takes its place, or undefined for none; it may throw. No other
   * decides meanwhile.
   */
  putObjectSubresource(
    ref: ObjectRef,
    name: ObjectSubresource,
    value: SubresourceValue | SubresourceDecision,
    call: Call,
  ): Promise<void>
  /** Deleting what is not there is no error. */
  deleteObjectSubresource(ref: ObjectRef, name: ObjectSubresource, call: Call): Promise<void>
  listObjects(bucket: string, page: ListPage, call: Call): Promise<ObjectListing>
  listVersions(bucket: string, page: VersionListPage, call: Call): Promise<VersionListing>

  createUpload(ref: ObjectRef, upload: NewUpload, call: Call): Promise<{ uploadId: string }>
  uploadPart(
    part: PartRef,
    payload: Payload,
    checksum: ChecksumAlgorithm | undefined,
    call: Call,
  ): Promise<WrittenPart>
  uploadPartCopy(
    source: CopySource,
    part: PartRef,
    range: ByteRange | undefined,
    call: Call,
  ): Promise<CopiedPart>
  completeUpload(upload: UploadRef, completion: Completion, call: Call): Promise<CompletedUpload>
  abortUpload(upload: UploadRef, ifInitiatedAt: Date | undefined, call: Call): Promise<void>
  listParts(
    upload: UploadRef,
    page: { partNumberMarker: number; maxParts: number },
    call: Call,
  ): Promise<PartListing>
  listUploads(bucket: string, page: UploadListPage, call: Call): Promise<UploadListing>

  close(): Promise<void>
}

/** What every call carries. */
export interface Call {
  /** The `Backend.*` span; file operations are recorded below it. */
  readonly span: Span
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
  /** Whose what is made may have to be. */
  readonly account?: PosixIds | undefined
  /** Whether retention in governance mode yields; undefined where the request does not ask for it. */
  readonly mayBypass?: ((ref: ObjectRef) => Promise<boolean>) | undefined
}

/** Ids of the account that asks, as far as it has any. */
export interface PosixIds {
  readonly userId?: number | undefined
  readonly groupId?: number | undefined
}

export type BucketSubresource =
  | 'acl'
  | 'ownership'
  | 'X-Amz-Tagging'
  | 'policy'
  | 'cors'
  | 'website'
  | 'bucket-lock'
  | 'versioning'

export type ObjectSubresource = 'X-Amz-Tagging' | 'object-retention' | 'object-legal-hold'
export type SubresourceValue = string | Uint8Array
export type SubresourceDecision = (stored: Buffer | undefined) => SubresourceValue | undefined

export interface BucketSummary {
  readonly name: string
  readonly creationDate: Date
  /** Of those asked for, those that are there. */
  readonly documents: ReadonlyMap<string, Buffer>
}

export interface NewBucket {
  readonly name: string
  /** Access key: whose bucket it is, he is told where it is there already. */
  readonly owner: string
  /** What hangs on it from the start: its ACL, ownership and so on. */
  readonly subresources: ReadonlyMap<BucketSubresource, SubresourceValue>
}

export interface ObjectRef {
  readonly bucket: string
  readonly key: string
  /** One version of it: `null` or its id. Without it the current one is meant. */
  readonly versionId?: string | undefined
}

/** Headers stored with an object and given back as they are; absent where never set. */
export interface ContentHeaders {
  contentType?: string | undefined
  contentEncoding?: string | undefined
  contentLanguage?: string | undefined
  contentDisposition?: string | undefined
  cacheControl?: string | undefined
  expires?: string | undefined
  websiteRedirectLocation?: string | undefined
}

/** How long an object may not be deleted; the date as ISO 8601, as it is stored. */
export interface ObjectRetention {
  readonly mode: string
  readonly retainUntil: string
}

/** What is stored with an object that is to be locked. */
export interface ObjectLock {
  readonly retention: ObjectRetention | undefined
  readonly legalHold: boolean
}

export type UserMetadata = Readonly<Record<string, string>>
export type Tags = Readonly<Record<string, string>>

export interface ObjectHead {
  readonly size: number
  /** Milliseconds since the epoch, of the file's mtime. */
  readonly lastModifiedMs: number
  /** With its quotes; empty where the file has none. */
  readonly etag: string
  readonly headers: ContentHeaders
  readonly userMetadata: UserMetadata
  /** Number of tags. */
  readonly tagCount: number
  /** May be of an algorithm this gateway cannot compute yet: then `value` is what is stored. */
  readonly checksum:
    | { readonly algorithm: string; readonly type: ChecksumType; readonly value: string }
    | undefined
  /** Of an object made by a multipart upload: where each part ends (cumulative), if known. */
  readonly partEnds: readonly number[] | undefined
  readonly versionId: string | undefined
  readonly legalHold: boolean | undefined
  readonly retention: ObjectRetention | undefined
}

export interface WritePrecondition {
  /** ETags, quotes optional; the object must exist and have one of them. `*` is "exists". */
  readonly ifMatch?: string | undefined
  /** Only `*`: the object must not exist. */
  readonly ifNoneMatch?: '*' | undefined
}

export interface DeletePrecondition {
  readonly ifMatch?: string | undefined
  readonly ifLastModified?: Date | undefined
  readonly ifSize?: number | undefined
  /** Where there is nothing a delete marker is made all the same: S3's way, not VersityGW's. */
  readonly marksAbsent?: boolean
}

export interface DeletedObject {
  /** Of the delete marker that was made, or of the version that was deleted; undefined where there is neither. */
  readonly versionId: string | undefined
  /** A delete marker was made, or one was deleted. */
  readonly isDeleteMarker: boolean
}

export interface NewObject {
  readonly headers: ContentHeaders
  readonly userMetadata: UserMetadata
  readonly tags: Tags | undefined
  readonly lock?: ObjectLock | undefined
  /** Computed over the object and stored. */
  readonly checksum: ChecksumAlgorithm
  readonly precondition: WritePrecondition
}

export interface WrittenObject {
  readonly etag: string
  readonly size: number
  readonly checksum: Checksum
  readonly versionId: string | undefined
}

export interface CopySource extends ObjectRef {
  /** Sees the head of the source before a byte is copied; throws 412 and the like. */
  check(head: ObjectHead): void
}

export interface CopyTarget {
  /** COPY keeps the source's; REPLACE takes these. */
  readonly metadata:
    | 'COPY'
    | { readonly headers: ContentHeaders; readonly userMetadata: UserMetadata }
  readonly tags: 'COPY' | { readonly tags: Tags | undefined }
  /** The source's own is never taken over. */
  readonly lock?: ObjectLock | undefined
  /** Requested; else the source's own, else CRC64NVME. */
  readonly checksum: ChecksumAlgorithm | undefined
  readonly precondition: WritePrecondition
}

export interface CopiedObject {
  readonly etag: string
  readonly lastModifiedMs: number
  readonly checksum: Checksum | undefined
  readonly sourceVersionId: string | undefined
  readonly versionId: string | undefined
}

export interface ListPage {
  readonly prefix: string
  readonly delimiter: string
  /** Keys and common prefixes up to and including this are left out; empty for none. */
  readonly after: string
  readonly maxKeys: number
}

export interface ListedObject {
  readonly key: string
  readonly size: number
  readonly lastModifiedMs: number
  readonly etag: string
  readonly checksumAlgorithm: string
  readonly checksumType: string
}

export interface ObjectListing {
  readonly objects: readonly ListedObject[]
  readonly commonPrefixes: readonly string[]
  readonly isTruncated: boolean
  /** The last key or common prefix given, when truncated. */
  readonly next: string | undefined
}

export interface NewUpload {
  readonly headers: ContentHeaders
  readonly userMetadata: UserMetadata
  readonly tags: Tags | undefined
  readonly lock?: ObjectLock | undefined
  /** Declared by the client, or undefined (then parts get a CRC64NVME of the gateway's own). */
  readonly checksum:
    | { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType }
    | undefined
}

export interface UploadRef extends ObjectRef {
  readonly uploadId: string
}

export interface PartRef extends UploadRef {
  readonly partNumber: number
}

export interface WrittenPart {
  readonly etag: string
  /** What the answer tells: the declared or computed part checksum, if the client or the upload asked for one. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined
}

export interface CopiedPart extends WrittenPart {
  readonly lastModifiedMs: number
  readonly sourceVersionId: string | undefined
}

export interface CompletedPart {
  readonly partNumber: number
  readonly etag: string
  /** Those the client sent with this part, by algorithm, base64. */
  readonly checksums: Readonly<Partial<Record<ChecksumAlgorithm, string>>>
}

export interface Completion {
  readonly parts: readonly CompletedPart[]
  /** x-amz-checksum-type of the request. */
  readonly checksumType: string | undefined
  /** x-amz-checksum-<algorithm> of the request: the whole object's. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined
  /** x-amz-mp-object-size. */
  readonly objectSize: number | undefined
  readonly precondition: WritePrecondition
}

export interface CompletedUpload {
  readonly etag: string
  readonly checksum: Checksum | undefined
  readonly versionId: string | undefined
}
