import { S3Error } from '../../s3/errors.ts'
import type { FileStat, Step } from '../../io/io.ts'
import type { Body, ByteSlice, ObjectHead, ObjectRef } from '../backend.ts'
import { ATTRIBUTE } from './attributes.ts'
import { isRegular } from './file-types.ts'
import { PosixObjectHead, type StoredAttributes } from './head.ts'
import { keyPath, type KeyPath } from './paths.ts'
import type { Task } from './task.ts'

/** Objects up to this size are read in the chain that opens them, and leave with the headers in one write. */
const READ_AT_ONCE = 64 * 1024

export async function getObject(
  task: Task<ObjectRef>,
  select: (head: ObjectHead) => ByteSlice,
): Promise<{ head: ObjectHead; slice: ByteSlice; body: Body }> {
  const { head, fd, bytes } = await openObject(task, 'read')
  let slice: ByteSlice
  try {
    slice = select(head)
  } catch (error) {
    if (fd >= 0) await task.close(fd)
    throw error
  }
  const { offset, length } = slice
  if (bytes === undefined) return { head, slice, body: { kind: 'file', fd, offset, length } }
  return { head, slice, body: { kind: 'bytes', bytes: bytes.subarray(offset, offset + length) } }
}

export async function headObject(task: Task<ObjectRef>): Promise<ObjectHead> {
  return (await openObject(task, 'head')).head
}

/** The object as it is; undefined where there is none. With `keep` it is the caller's to close. */
export async function currentObject(
  task: Task<ObjectRef>,
  purpose: 'head' | 'keep' = 'head',
): Promise<OpenObject | undefined> {
  try {
    return await openObject(task, purpose)
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NoSuchKey') return undefined
    throw error
  }
}

/** An object whose file is, or was, open. */
export interface OpenObject {
  readonly head: ObjectHead
  readonly stat: FileStat
  readonly attributes: StoredAttributes
  /** Open for `keep`, and for `read` of a large object: the caller closes it. Else -1. */
  readonly fd: number
  /** All of a small object, for `read`. */
  readonly bytes: Buffer | undefined
}

/**
 * Opens an object and reads what there is to know of it, in one chain: everything is read from one descriptor, so that
 * it is told of one and the same object whatever is renamed over its name meanwhile.
 *
 * `head` looks only; `read` reads a small object and leaves a large one open; `keep` leaves it open.
 */
export async function openObject(
  task: Task<ObjectRef>,
  purpose: 'head' | 'read' | 'keep',
): Promise<OpenObject> {
  const path = keyPath(task.subject.key)
  const chain = task.begin()
  const { steps, bucket } = chain
  const keep = purpose === 'keep'
  const file = chain.at(
    'object',
    path.isDirectory
      ? steps.openDir(bucket, path.path, { readable: true, keep })
      : steps.openFile(bucket, path.path, { keep }),
  )
  const stat = chain.at('object', steps.stat(file))
  const metadata = chain.at('object', steps.readMetadata(file))
  let content: Step<Buffer | undefined> | undefined
  if (purpose === 'read' && !path.isDirectory) {
    content = chain.at('object', steps.readWhole(file, { wholeIfAtMost: READ_AT_ONCE }))
  }
  await chain.run()

  const isOpen = keep || (content !== undefined && content.value === undefined)
  const fd = isOpen ? file.value : -1
  if (!isObject(path, stat.value, metadata.value)) {
    if (isOpen) await task.close(fd)
    throw new S3Error('NoSuchKey')
  }
  const head = new PosixObjectHead(
    stat.value,
    metadata.value,
    path.isDirectory,
    task.volume.defaultEtag,
  )
  const bytes = path.isDirectory ? EMPTY : content?.value
  return { head, stat: stat.value, attributes: metadata.value, fd, bytes }
}

const EMPTY = Buffer.alloc(0)

/** Regular files are objects; a directory is one if it was put as one, which its etag tells. */
function isObject(path: KeyPath, stat: FileStat, attributes: StoredAttributes): boolean {
  if (attributes.has(ATTRIBUTE.deleteMarker)) return false
  return path.isDirectory ? attributes.has(ATTRIBUTE.etag) : isRegular(stat)
}
