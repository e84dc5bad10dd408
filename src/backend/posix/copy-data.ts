import type { CopyMethod, FileStat, HashKind } from '../../io/io.ts'
import { SPAN } from '../../trace/names.ts'
import type { ByteSlice, ChecksumAlgorithm } from '../backend.ts'
import type { DigestReader } from './collected.ts'
import { hashKindOf } from './attributes.ts'
import { copyFacts, drawBroken, drawCopy } from './copy-spans.ts'
import type { EtagForm } from './etag-form.ts'
import { failureOf, toS3Error } from './errors.ts'
import type { OpenObject } from './opened.ts'
import type { Task } from './task.ts'

/** Below this size hashing costs less than it can save. */
const WORTH_REUSING = 1024 * 1024

/**
 * The sums of a copy, where they can be taken over from the source instead of reading it all: its ETag is the MD5 of one
 * upload (where the copy's is to be one), its checksum is of the whole object and of the algorithm wanted, and its file is
 * as the gateway left it. Writing
 * to a file sets mtime and ctime alike, and the gateway sets attributes after it writes: then ctime is the later one.
 */
export function reusableSums(
  { head, stat }: OpenObject,
  algorithm: ChecksumAlgorithm,
  form: EtagForm,
): DigestReader | undefined {
  const isUntouched =
    stat.ctimeSec > stat.mtimeSec ||
    (stat.ctimeSec === stat.mtimeSec && stat.ctimeNsec > stat.mtimeNsec)
  if (!isUntouched || head.size < WORTH_REUSING) return undefined
  const { checksum } = head
  if (checksum?.type !== 'FULL_OBJECT' || checksum.algorithm !== algorithm) return undefined
  const sum = Buffer.from(checksum.value, 'base64')
  const kind = hashKindOf(algorithm)
  if (form.kind === kind) return () => sum
  const hex = form.kind === 'md5' ? PLAIN_ETAG.exec(head.etag)?.[1] : undefined
  if (hex === undefined) return undefined
  const md5 = Buffer.from(hex, 'hex')
  return (wanted) => (wanted === 'md5' ? md5 : sum)
}

const PLAIN_ETAG = /^"([0-9a-f]{32})"$/

export interface DataCopy {
  readonly from: number
  readonly range: ByteSlice
  readonly to: number
  /** Computed on the way. */
  readonly kinds: readonly HashKind[]
}

export interface CopiedData {
  /** Of the file copied to. */
  readonly stat: FileStat
  readonly digest: DigestReader
}

/** Copies a range of one file to the beginning of another, under one FastFileCopy span. */
export async function copyData(
  task: Task,
  { from, range, to, kinds }: DataCopy,
): Promise<CopiedData> {
  const { span, volume } = task
  const hasher = kinds.length > 0 ? volume.io.hasher(kinds) : undefined
  try {
    const chain = task.chain({ bulk: true, record: false })
    const options =
      hasher === undefined
        ? { methods: volume.copyMethods }
        : { methods: hashingMethods(task), hasher }
    const copy = chain.copyRange(from, range.offset, to, 0, range.length, options)
    const stat = chain.stat(to)
    const digests = new Map(kinds.map((kind) => [kind, hasher && chain.digest(hasher, kind)]))
    const draw = (error?: unknown): void => {
      const times = chain.times(copy)
      const fast = span.child(SPAN.fastFileCopy, {}, times.startNs)
      if (error !== undefined) drawBroken(fast, error, times)
      else drawCopy(fast, copyFacts(copy.value, hasher !== undefined), range.length, times)
    }
    try {
      await chain.run()
      if (span.recording) draw()
    } catch (error) {
      if (span.recording && failureOf(error).step === copy) draw(error)
      throw error
    }
    return { stat: stat.value, digest: (kind) => digests.get(kind)?.value ?? Buffer.alloc(0) }
  } catch (error) {
    throw toS3Error(error, 'other', task.subject)
  } finally {
    hasher?.free()
  }
}

/** Bytes that have to be read for their sums are best written from where they were read to. */
function hashingMethods({ volume }: Task): readonly CopyMethod[] {
  return volume.copyMethods.filter((method) => method !== 'copy_file_range')
}
