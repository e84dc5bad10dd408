/** What was made of documents that are stored at buckets, so that a request need not make it anew. */
export interface StoredDocuments<T> {
  /** What `bytes`, stored at the bucket, are. */
  read(bucket: string, bytes: Buffer): T
}

/** Keeps what `parse` made of documents of `maxBytes` together; the oldest go first. */
export function createStoredDocuments<T>(
  parse: (bytes: Buffer) => T,
  maxBytes: number,
): StoredDocuments<T> {
  const kept = new Map<string, { readonly bytes: Buffer; readonly parsed: T }>()
  let size = 0
  const forget = (bucket: string): void => {
    size -= kept.get(bucket)?.bytes.length ?? 0
    kept.delete(bucket)
  }
  return {
    read(bucket, bytes) {
      const known = kept.get(bucket)
      if (known?.bytes.equals(bytes) === true) return known.parsed
      forget(bucket)
      const parsed = parse(bytes)
      // A copy: what a backend reads into is its own and may be part of something larger.
      kept.set(bucket, { bytes: Buffer.from(bytes), parsed })
      size += bytes.length
      for (const oldest of kept.keys()) {
        if (size <= maxBytes) break
        forget(oldest)
      }
      return parsed
    },
  }
}
