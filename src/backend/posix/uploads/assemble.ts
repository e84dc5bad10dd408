import type { Chain, CopyMethod, CopyResult, FileStat, Hasher, Step } from '../../../io/io.ts'
import { SPAN } from '../../../trace/names.ts'
import type { Span } from '../../../trace/recorder.ts'
import { Places, type Subject } from '../errors.ts'
import { copyFacts, drawCopyPart } from '../copy-spans.ts'
import { openBucket, type Volume } from '../volume.ts'
import { invalidPart, type StoredPart } from './check-parts.ts'

/** Parts copied in one job: few descriptors at a time, and no long wait behind one upload. */
const BATCH_PARTS = 32
const BATCH_BYTES = 512 * 1024 * 1024

export interface Assembly {
  readonly subject: Subject & { readonly uploadId: string }
  /** The upload's directory, beneath the bucket. */
  readonly directory: string
  readonly parts: readonly StoredPart[]
  /** The temporary file to fill. */
  readonly file: number
  /** Set where the object's checksum cannot be combined from those of the parts. */
  readonly hasher: Hasher | undefined
}

/**
 * Puts the parts one behind the other: by sharing their extents where the file system can, else copied in the kernel, else
 * read and written. Each part is opened, compared with what was checked, and copied by one chain.
 */
export async function assembleParts(volume: Volume, assembly: Assembly, span: Span): Promise<void> {
  const { parts } = assembly
  const total = parts.reduce((sum, { size }) => sum + size, 0)
  const assembling = span.child(SPAN.assembleParts, { 'posix.total_parts': parts.length, 'posix.total_size': total })
  try {
    let offset = 0
    for (const batch of batches(parts)) offset = await copyBatch(volume, assembly, batch, offset, assembling)
  } catch (error) {
    assembling.fail({ type: error instanceof Error ? error.name : 'Error', message: 'a part could not be copied' })
    throw error
  } finally {
    assembling.end()
    assembling.set('posix.duration_ms', (assembling.endNs - assembling.startNs) / 1e6)
  }
}

function* batches(parts: readonly StoredPart[]): Iterable<readonly StoredPart[]> {
  let start = 0
  let bytes = 0
  for (const [i, part] of parts.entries()) {
    bytes += part.size
    if (i - start + 1 < BATCH_PARTS && bytes < BATCH_BYTES) continue
    yield parts.slice(start, i + 1)
    start = i + 1
    bytes = 0
  }
  if (start < parts.length) yield parts.slice(start)
}

interface Copying {
  readonly part: StoredPart
  readonly open: Step<number>
  readonly stat: Step<FileStat>
  readonly copy: Step<CopyResult>
  /** Where the part ends in the object. */
  readonly end: number
}

/** Copies some parts in one job; gives back where the next one begins. */
async function copyBatch(
  volume: Volume,
  assembly: Assembly,
  parts: readonly StoredPart[],
  offset: number,
  span: Span,
): Promise<number> {
  const { subject, hasher } = assembly
  const places = new Places()
  // The spans of a part are drawn from the times of its steps: CopyPart and what lies below it.
  const chain = volume.io.chain(span, { bulk: true, record: false })
  const bucket = openBucket(chain, volume, subject.bucket, places)
  const dir = places.mark('upload', chain.openDir(bucket, assembly.directory))
  const methods: readonly CopyMethod[] = volume.copyMethods
  let end = offset
  const copies = parts.map((part): Copying => {
    const open = places.mark('upload', chain.openFile(dir, String(part.partNumber)))
    const stat = chain.stat(open)
    const copy = chain.copyRange(open, 0, assembly.file, end, part.size, { methods, ...(hasher === undefined ? {} : { hasher }) })
    end += part.size
    return { part, open, stat, copy, end }
  })
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, subject)
  }
  for (const copying of copies) {
    checkUnchanged(copying, subject.uploadId)
    if (span.recording) drawPart(chain, copying, hasher !== undefined, span)
  }
  return end
}

/** An upload of the same part that was still running may have put another file under the number. */
function checkUnchanged({ part, stat }: Copying, uploadId: string): void {
  const { ino, size, mtimeNsec } = stat.value
  if (ino !== part.ino || size !== part.size || mtimeNsec !== part.mtimeNsec) throw invalidPart(uploadId, part.partNumber, '')
}

function drawPart(chain: Chain, { part, open, copy, end }: Copying, isHashed: boolean, span: Span): void {
  const times = chain.times(copy)
  const facts = copyFacts(copy.value, isHashed)
  const copyPart = span.child(
    SPAN.copyPart,
    { 'posix.part_number': part.partNumber, 'posix.part_size': part.size },
    chain.times(open).startNs,
  )
  drawCopyPart(copyPart, facts, part.size, times)
  span.addEvent('part_assembled', { current_part: part.partNumber, bytes_copied: end }, times.endNs)
}
