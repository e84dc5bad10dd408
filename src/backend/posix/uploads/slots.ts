import { constants } from 'node:os'
import { S3Error } from '../../../s3/errors.ts'
import type { PartRef } from '../../backend.ts'
import type { Payload } from '../../payload.ts'
import type { DigestReader } from '../collected.ts'
import { failureOf } from '../errors.ts'
import { publish } from '../publish.ts'
import { receive } from '../receive.ts'
import type { Task } from '../task.ts'
import { partAttributes, partFacts, type PartSums } from './part-sums.ts'
import { beginUpload, uploadDir } from './upload-dir.ts'

const { EEXIST } = constants.errno

/**
 * `--multipart-layout slots`: parts are written to where they belong in one file, `slots` in the upload's directory, so that
 * completing an upload copies nothing.
 *
 * Where a part belongs is known if all before it have one size: that of the part that comes first, which stands on
 * `slots.size`. Part n is described by `n.slot`, an empty file of its size with its attributes; while it lacks an etag, the
 * part is being written. What does not fit (a longer part, one that is sent again, a copy) becomes a file of its own,
 * `n`, as in the other layout, and counts before the slot: a part that was acknowledged is never written over.
 */
export const SLOTS_FILE = 'slots'
export const SIZE_FILE = 'slots.size'
export const SIZE_ATTRIBUTE = 'slot-size'

/** Largest object: no file system is asked to place a byte behind it. */
const MAX_END = 5 * 1024 ** 4

const FILE_MODE = 0o644
const MAX_REMEMBERED = 10_000

export function slotName(partNumber: number): string {
  return `${partNumber}.slot`
}

/** Writes a part to its slot; undefined, with nothing of it read, where it has none. */
export async function storeInSlot(
  task: Task<PartRef>,
  payload: Payload,
  sums: PartSums,
): Promise<DigestReader | undefined> {
  const { volume, subject } = task
  if (volume.slotSizes === undefined || payload.length === 0) return undefined
  const slotSize = await slotSizeOf(task, volume.slotSizes, payload.length)
  const offset = (subject.partNumber - 1) * slotSize
  if (payload.length > slotSize || offset + payload.length > MAX_END) return undefined
  const slot = await claimSlot(task)
  if (slot === undefined) return undefined
  try {
    const { fd } = slot
    const facts = partFacts(task)
    const how = { fd, offset, startWriteback: true, kinds: sums.kinds, facts }
    const { digest } = await receive(task, payload, how)
    await describePart(task, slot, payload.length, sums, digest)
    return digest
  } catch (error) {
    await giveUp(task, slot)
    throw error
  } finally {
    await task.close(slot.fd, slot.marker, slot.dir)
  }
}

/** The size of this upload's slots; if no part has come yet, this one's decides. */
async function slotSizeOf(
  task: Task<PartRef>,
  known: Map<string, number>,
  size: number,
): Promise<number> {
  const { uploadId } = task.subject
  const remembered = known.get(uploadId)
  if (remembered !== undefined) return remembered
  const decided = (await readSlotSize(task)) ?? (await decideSlotSize(task, size))
  if (known.size >= MAX_REMEMBERED) known.clear()
  known.set(uploadId, decided)
  return decided
}

async function readSlotSize(task: Task<PartRef>): Promise<number | undefined> {
  const { chain, dir } = beginUpload(task)
  const [name, attribute] = [[SIZE_FILE], [SIZE_ATTRIBUTE]]
  const found = chain.steps.statBatch(dir, name, attribute)
  await chain.run()
  return parseSlotSize(found.value[0]?.attributes.get(SIZE_ATTRIBUTE))
}

export function parseSlotSize(stored: Buffer | undefined): number | undefined {
  const size = Number(stored?.toString() ?? '')
  return Number.isSafeInteger(size) && size > 0 ? size : undefined
}

/** Whoever links `slots.size` first has decided. */
async function decideSlotSize(task: Task<PartRef>, size: number): Promise<number> {
  const { chain, dir } = beginUpload(task)
  chain.steps.openFile(dir, SLOTS_FILE, { create: FILE_MODE, tolerate: [EEXIST] })
  await chain.run()
  try {
    await publish(task, {
      target: {
        directory: uploadDir(task.subject),
        name: SIZE_FILE,
        makeParents: false,
        replace: false,
      },
      size: 0,
      attributes: [[SIZE_ATTRIBUTE, String(size)]],
      fill: () => undefined,
      facts: partFacts(task),
    })
    return size
  } catch (error) {
    const decided =
      error instanceof S3Error && error.code === 'PreconditionFailed'
        ? await readSlotSize(task)
        : undefined
    if (decided === undefined) throw error
    return decided
  }
}

interface Slot {
  /** Of the upload's directory. */
  readonly dir: number
  readonly marker: number
  /** Of the file of slots. */
  readonly fd: number
}

/**
 * Takes a slot for this request alone; undefined where somebody else has it, or had. Whoever completes the upload renames
 * its directory and then looks for slots that are being written: so we look at its name once more after ours can be seen.
 */
async function claimSlot(task: Task<PartRef>): Promise<Slot | undefined> {
  const path = uploadDir(task.subject)
  const chain = task.begin()
  const { steps, bucket } = chain
  const open = { readable: true, keep: true }
  const dir = chain.at('upload', steps.openDir(bucket, path, open))
  const marker = steps.openFile(dir, slotName(task.subject.partNumber), {
    create: FILE_MODE,
    keep: true,
    expected: [EEXIST],
  })
  const file = steps.openFile(dir, SLOTS_FILE, { write: true, keep: true })
  const stat = steps.stat(file)
  chain.at('upload', steps.openDir(bucket, path))
  try {
    await steps.run()
  } catch (error) {
    const { step, errno } = failureOf(error)
    if (step === marker && errno === EEXIST) return undefined
    throw chain.toS3Error(error)
  }
  const slot = { dir: dir.value, marker: marker.value, fd: file.value }
  // Another name: a completion that did not end may have published the file.
  if (stat.value.nlink === 1) return slot
  await giveUp(task, slot)
  await task.close(slot.fd, slot.marker, slot.dir)
  return undefined
}

/** The etag, which makes it a part, comes last, and only if the upload is still there. */
async function describePart(
  task: Task<PartRef>,
  slot: Slot,
  ...[size, sums, digest]: readonly [number, PartSums, DigestReader]
): Promise<void> {
  const { durable } = task.volume
  const [etag, ...others] = partAttributes(sums, (kind, encoding) =>
    digest(kind).toString(encoding),
  )
  const chain = task.begin()
  const { steps, bucket } = chain
  const dir = chain.at('upload', steps.openDir(bucket, uploadDir(task.subject), { readable: true }))
  if (durable) steps.sync(slot.fd, 'file')
  steps.truncate(slot.marker, size)
  steps.writeMetadata(slot.marker, others)
  if (etag !== undefined) steps.writeMetadata(slot.marker, [etag])
  if (durable) steps.sync(slot.marker, 'file')
  if (durable) steps.sync(dir, 'dir')
  await chain.run()
}

/** Nobody has been told of what was written: another try may write over it. */
async function giveUp(task: Task<PartRef>, { dir }: Slot): Promise<void> {
  const chain = task.chain()
  chain.remove(dir, slotName(task.subject.partNumber))
  await chain.run().catch(() => undefined)
}
