/** Bytes `offset` to `offset + length - 1` of an object. */
export interface ByteSlice {
  readonly offset: number
  readonly length: number
}

/** Inclusive ends, as in HTTP. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Bytes on their way out. Whoever receives a `file` body closes it, on success and on failure alike. */
export type Body =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly fd: number; readonly offset: number; readonly length: number }
