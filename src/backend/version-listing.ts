import type { ListedObject } from './backend.ts'

/** Where a page of a listing of versions begins, and how long it is. */
export interface VersionListPage {
  readonly prefix: string
  readonly delimiter: string
  /** Keys and common prefixes up to and including this are left out; empty for none. */
  readonly keyMarker: string
  /** Of that key only what is newer is left out, and this version. */
  readonly versionIdMarker: string | undefined
  readonly maxKeys: number
}

export interface ListedVersion extends ListedObject {
  /** `null` where it has none. */
  readonly versionId: string
  readonly isLatest: boolean
  readonly isDeleteMarker: boolean
  /** What `lastModifiedMs` leaves out: nanoseconds beyond the whole second. */
  readonly lastModifiedNsec: number
}

export interface VersionListing {
  /** By key, and of a key the newest first. */
  readonly versions: readonly ListedVersion[]
  readonly commonPrefixes: readonly string[]
  readonly isTruncated: boolean
  /** The markers of the next page, when truncated; without a version where that is behind all versions of the key. */
  readonly next: { readonly key: string; readonly versionId: string | undefined } | undefined
}
