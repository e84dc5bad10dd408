export interface ListedPart {
  readonly partNumber: number
  readonly etag: string
  readonly size: number
  readonly lastModifiedMs: number
  readonly checksum: { readonly algorithm: string; readonly value: string } | undefined
}

export interface PartListing {
  readonly parts: readonly ListedPart[]
  readonly isTruncated: boolean
  readonly nextPartNumberMarker: number
  /** Of the upload; undefined where none was declared. */
  readonly checksum: { readonly algorithm: string; readonly type: string } | undefined
}

export interface UploadListPage {
  readonly prefix: string
  readonly delimiter: string
  readonly keyMarker: string
  readonly uploadIdMarker: string
  readonly maxUploads: number
}

export interface ListedUpload {
  readonly key: string
  readonly uploadId: string
  readonly initiatedMs: number
  readonly checksum: { readonly algorithm: string; readonly type: string } | undefined
}

export interface UploadListing {
  readonly uploads: readonly ListedUpload[]
  readonly commonPrefixes: readonly string[]
  readonly isTruncated: boolean
  readonly nextKeyMarker: string
  readonly nextUploadIdMarker: string
}
