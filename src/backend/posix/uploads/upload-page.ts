import { compareUtf8 } from '../../../utf8-order.ts'
import type { ListedUpload, UploadListPage, UploadListing } from '../../backend.ts'

/** One page of a listing of uploads: what goes on it, in order, until one more would be too many. */
export class UploadPage {
  readonly #page: UploadListPage
  readonly #uploads: ListedUpload[] = []
  readonly #prefixes: string[] = []
  #next = { key: '', uploadId: '' }
  #isFull: boolean

  constructor(page: UploadListPage) {
    this.#page = page
    this.#isFull = page.maxUploads === 0
  }

  get isFull(): boolean {
    return this.#isFull
  }

  mayList(key: string): boolean {
    const { prefix, keyMarker, uploadIdMarker } = this.#page
    if (!key.startsWith(prefix)) return false
    if (keyMarker === '') return true
    const order = compareUtf8(key, keyMarker)
    return order > 0 || (order === 0 && uploadIdMarker !== '')
  }

  /** Adds a key's uploads, in the order in which they were begun. */
  add(key: string, uploads: readonly ListedUpload[]): void {
    const { prefix, delimiter } = this.#page
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    if (at >= 0 && uploads.length > 0) this.#addPrefix(key.slice(0, at + delimiter.length))
    if (at >= 0) return
    for (const upload of this.#behindMarker(key, uploads)) {
      if (!this.#hasRoom()) return
      this.#uploads.push(upload)
      this.#next = { key, uploadId: upload.uploadId }
    }
  }

  #addPrefix(prefix: string): void {
    const isTold = prefix === this.#prefixes.at(-1) || this.#page.keyMarker.startsWith(prefix)
    if (isTold || !this.#hasRoom()) return
    this.#prefixes.push(prefix)
    this.#next = { key: prefix, uploadId: '' }
  }

  /** Of the marker's own key, those that were begun after the upload it names. */
  #behindMarker(key: string, uploads: readonly ListedUpload[]): readonly ListedUpload[] {
    const { keyMarker, uploadIdMarker } = this.#page
    if (key !== keyMarker) return uploads
    const marker = uploads.findIndex(({ uploadId }) => uploadId === uploadIdMarker)
    return marker < 0 ? [] : uploads.slice(marker + 1)
  }

  #hasRoom(): boolean {
    const count = this.#uploads.length + this.#prefixes.length
    if (count >= this.#page.maxUploads) this.#isFull = true
    return !this.#isFull
  }

  result(): UploadListing {
    const isTruncated = this.#isFull && this.#page.maxUploads > 0
    return {
      uploads: this.#uploads,
      commonPrefixes: this.#prefixes,
      isTruncated,
      nextKeyMarker: isTruncated ? this.#next.key : '',
      nextUploadIdMarker: isTruncated ? this.#next.uploadId : '',
    }
  }
}
