import { constants } from 'node:os'
import type { BatchEntry, DirEntries, Fd, Step } from '../../../io/io.ts'
import { SPAN } from '../../../trace/names.ts'
import type { UploadRef } from '../../backend.ts'
import { ATTRIBUTE } from '../attributes.ts'
import { failureOf } from '../errors.ts'
import { entryName } from '../packed-names.ts'
import { TMP_DIR } from '../paths.ts'
import type { BucketChain, Task } from '../task.ts'
import {
  withTemporaryFile,
  type TemporaryFile,
  type TemporaryFileWanted,
} from '../temporary-file.ts'
import { removeTemporary, temporaryName } from '../tmp-dir.ts'
import { PART_ATTRIBUTES, type StoredPart } from './check-parts.ts'
import { drawInPlace } from './draw-in-place.ts'
import { SIZE_ATTRIBUTE, SIZE_FILE, SLOTS_FILE, parseSlotSize, slotName } from './slots.ts'

const { EMLINK, ENOENT, ENOSYS, EOPNOTSUPP, EPERM, EXDEV } = constants.errno

/** What an upload has in slots. */
export interface Slots {
  readonly size: number
  /** By part number: those that have a slot, and are whole in it. */
  readonly whole: ReadonlySet<number>
  /**
   * A slot is being written, or was when its writer died; or it holds a part that the client does not list; or the file has
   * another name, which may be an object's: a completion that did not end gave it that.
   */
  readonly isBusy: boolean
}

interface Look {
  readonly sizes: Step<BatchEntry[]>
  readonly markers: Step<BatchEntry[]>
  readonly names: Step<DirEntries>
  readonly file: Step<BatchEntry[]>
}

/** The steps that look for parts in slots. */
function lookForSlots({ steps }: BucketChain, dir: Fd, numbers: readonly number[]): Look {
  return {
    sizes: steps.statBatch(dir, [SIZE_FILE], [SIZE_ATTRIBUTE]),
    markers: steps.statBatch(dir, numbers.map(slotName), PART_ATTRIBUTES),
    names: steps.listDir(dir),
    file: steps.statBatch(dir, [SLOTS_FILE], []),
  }
}

/**
 * The listed parts, those in slots where they have no file of their own; and what is known of the slots. An upload of the
 * other layout has none, and all its parts have files: then nothing is looked at.
 */
export async function findParts(
  task: Task<UploadRef>,
  directory: string,
  files: readonly BatchEntry[],
  numbers: readonly number[],
): Promise<{ readonly found: readonly BatchEntry[]; readonly slots: Slots | undefined }> {
  const isComplete = files.every(({ errno }) => errno !== ENOENT)
  if (isComplete && task.volume.slotSizes === undefined) return { found: files, slots: undefined }
  const chain = task.begin()
  const dir = chain.at('upload', chain.steps.openDir(chain.bucket, directory, { readable: true }))
  const look = lookForSlots(chain, dir, numbers)
  await chain.run()
  const size = parseSlotSize(look.sizes.value[0]?.attributes.get(SIZE_ATTRIBUTE))
  if (size === undefined) return { found: files, slots: undefined }
  const markers = look.markers.value
  const found = files.map((file, i) => {
    const marker = markers[i]
    return file.errno === ENOENT && marker !== undefined && isWhole(marker) ? marker : file
  })
  const whole = new Set(numbers.filter((_, i) => markers[i] !== undefined && isWhole(markers[i])))
  const isShared = look.file.value[0]?.stat.nlink !== 1
  const isBusy = isShared || markersOf(look.names.value).some((number) => !whole.has(number))
  return { found, slots: { size, whole, isBusy } }
}

function isWhole({ errno, attributes }: BatchEntry): boolean {
  return errno === 0 && attributes.has(ATTRIBUTE.etag)
}

function markersOf(entries: DirEntries): number[] {
  const numbers: number[] = []
  for (let i = 0; i < entries.count; i++) {
    const [, number] = /^(\d+)\.slot$/.exec(entryName(entries, i) ?? '') ?? []
    if (number !== undefined) numbers.push(Number(number))
  }
  return numbers
}

/** An upload's parts, and where they are. */
export interface SlottedUpload {
  readonly directory: string
  readonly parts: readonly StoredPart[]
  readonly slots: Slots | undefined
}

/**
 * Gives `use` the file that is to become the object. `isAssembled`: the parts are in it already, because they were written
 * to where they belong. Else they have to be copied.
 */
export async function withObjectFile<T>(
  task: Task<UploadRef>,
  wanted: TemporaryFileWanted,
  upload: SlottedUpload,
  use: (file: TemporaryFile, isAssembled: boolean) => Promise<T>,
): Promise<T> {
  const file = isInPlace(upload) ? await takeSlots(task, upload, wanted.size) : undefined
  if (file === undefined)
    return withTemporaryFile(task, wanted, (temporary) => use(temporary, false))
  try {
    return await use(file, true)
  } finally {
    await task.close(file.fd, file.tmpDir, file.bucket)
    if (file.name !== undefined) await removeTemporary(task, TMP_DIR, file.name)
  }
}

/** Each part is in its slot, or can be put there: slot and place in the object are the same, and nobody else writes there. */
function isInPlace({ parts, slots }: SlottedUpload): boolean {
  if (slots === undefined || slots.isBusy || !parts.some(({ slot }) => slot !== undefined))
    return false
  return parts.every(({ partNumber, size }, i) => {
    const isLast = i === parts.length - 1
    return partNumber === i + 1 && (isLast ? size <= slots.size : size === slots.size)
  })
}

/**
 * Links the file of slots to a temporary name, so that the upload stays whole until the object is published, and copies
 * into it the few parts that have files of their own. Undefined where files cannot have two names.
 */
async function takeSlots(
  task: Task<UploadRef>,
  { directory, parts, slots }: SlottedUpload,
  size: number,
): Promise<TemporaryFile | undefined> {
  const name = temporaryName()
  const chain = task.begin({ bulk: true, record: false, keep: true, readable: true })
  const { steps, bucket } = chain
  const dir = chain.at('upload', steps.openDir(bucket, directory))
  const tmpDir = steps.openDir(bucket, TMP_DIR, { keep: true })
  const fd = chain.at('upload', steps.openFile(dir, SLOTS_FILE, { write: true, keep: true }))
  const options = { methods: task.volume.copyMethods }
  const copies = parts.map((part) => {
    if (part.slot !== undefined) return undefined
    const from = chain.at('upload', steps.openFile(dir, String(part.partNumber)))
    return steps.copyRange(
      from,
      0,
      fd,
      (part.partNumber - 1) * (slots?.size ?? 0),
      part.size,
      options,
    )
  })
  steps.truncate(fd, size)
  const linked = steps.linkFile(fd, tmpDir, name, { tmpDir, replace: false })
  const span = task.span.child(SPAN.assembleParts, {
    'posix.total_parts': parts.length,
    'posix.total_size': size,
  })
  try {
    await steps.run()
  } catch (error) {
    const { step, errno } = failureOf(error)
    if (step === linked && NO_SECOND_NAME.has(errno)) return undefined
    throw chain.toS3Error(error)
  } finally {
    if (span.recording && linked.ran) drawInPlace(span, steps, { parts, copies, opened: fd })
    span.end()
  }
  const plan = { named: true, besideTarget: false, makeTmpDir: false }
  return { fd: fd.value, bucket: chain.bucketFd, tmpDir: tmpDir.value, plan, name }
}

const NO_SECOND_NAME = new Set([EMLINK, ENOSYS, EOPNOTSUPP, EPERM, EXDEV])
