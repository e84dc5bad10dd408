import type { Chain, CopyResult, FileStat, Hasher, Step } from '../../../io/io.ts'
import { SPAN } from '../../../trace/names.ts'
import type { Span } from '../../../trace/recorder.ts'
import type { UploadRef } from '../../backend.ts'
import { copyFacts, drawBroken, drawCopyPart, reasonOf } from '../copy-spans.ts'
import { Task } from '../task.ts'
import { invalidPart, type StoredPart } from './check-parts.ts'
import { SLOTS_FILE, slotName } from './slots.ts'

/** Parts copied in one job: few descriptors at a time, and no long wait behind one upload. */
const BATCH_PARTS = 32
const BATCH_BYTES = 512 * 1024 * 1024

export interface Assembly {
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
export async function assembleParts(task: Task<UploadRef>, assembly: Assembly): Promise<void> {
  const { parts } = assembly
  const total = parts.reduce((sum, { size }) => sum + size, 0)
  const span = task.span.child(SPAN.assembleParts, {
    'posix.total_parts': parts.length,
    'posix.total_size': total,
  })
  const assembling = new Task(task.volume, span, task.subject)
  try {
    let offset = 0
    for (const batch of batches(parts))
      offset = await copyBatch(assembling, assembly, batch, offset)
  } catch (error) {
    span.fail(reasonOf(error))
    throw error
  } finally {
    span.end()
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
  task: Task<UploadRef>,
  { directory, file, hasher }: Assembly,
  parts: readonly StoredPart[],
  offset: number,
): Promise<number> {
  // The spans of a part are drawn from the times of its steps: CopyPart and what lies below it.
  const chain = task.begin({ bulk: true, record: false })
  const { steps, bucket } = chain
  const dir = chain.at('upload', steps.openDir(bucket, directory))
  const options = { methods: task.volume.copyMethods, ...(hasher && { hasher }) }
  let end = offset
  const copies = parts.map((part): Copying => {
    const { slot, partNumber } = part
    const name = slot === undefined ? String(partNumber) : slotName(partNumber)
    const open = chain.at('upload', steps.openFile(dir, name))
    const stat = steps.stat(open)
    const from = slot === undefined ? open : chain.at('upload', steps.openFile(dir, SLOTS_FILE))
    const copy = steps.copyRange(from, slot ?? 0, file, end, part.size, options)
    end += part.size
    return { part, open, stat, copy, end }
  })
  const isHashed = hasher !== undefined
  try {
    await chain.run()
  } catch (error) {
    if (task.span.recording) drawSome(task.span, steps, copies, { error, isHashed })
    throw error
  } finally {
    // Of the first job, as with every span that several jobs make.
    if (offset === 0) task.span.set('posix.queue_ms', steps.times(dir).queueNs / 1e6)
  }
  for (const copying of copies) {
    checkUnchanged(copying, task.subject.uploadId)
    if (task.span.recording) drawPart(task.span, steps, copying, isHashed)
  }
  return end
}

/** An upload of the same part that was still running may have put another file under the number. */
function checkUnchanged({ part, stat }: Copying, uploadId: string): void {
  const { ino, size, mtimeNsec } = stat.value
  const isSame = ino === part.ino && size === part.size && mtimeNsec === part.mtimeNsec
  if (!isSame) throw invalidPart(uploadId, part.partNumber, '')
}

/** The parts up to the one where the job broke off, and that one. */
function drawSome(
  span: Span,
  chain: Chain,
  copies: readonly Copying[],
  { error, isHashed }: { readonly error: unknown; readonly isHashed: boolean },
): void {
  for (const copying of copies) {
    const { copy, open, part } = copying
    if (copy.ran && copy.errno === 0) {
      drawPart(span, chain, copying, isHashed)
      continue
    }
    const { startNs } = chain.times(open)
    if (startNs === 0) return
    const attributes = { 'posix.part_number': part.partNumber }
    const broken = [copying.copy, copying.stat, open].find(({ ran }) => ran) ?? open
    drawBroken(span.child(SPAN.copyPart, attributes, startNs), error, chain.times(broken))
    return
  }
}

function drawPart(
  span: Span,
  chain: Chain,
  { part, open, copy, end }: Copying,
  isHashed: boolean,
): void {
  const times = chain.times(copy)
  const { startNs } = chain.times(open)
  const attributes = { 'posix.part_number': part.partNumber, 'posix.part_size': part.size }
  const copyPart = span.child(SPAN.copyPart, attributes, startNs)
  drawCopyPart(copyPart, copyFacts(copy.value, isHashed), part.size, times)
  span.addEvent('part_assembled', { current_part: part.partNumber, bytes_copied: end }, times.endNs)
}
