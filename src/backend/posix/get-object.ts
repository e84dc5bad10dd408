import { S3Error } from '../../s3/errors.ts'
import type { FileStat, Step } from '../../io/io.ts'
import type { Body, ByteSlice, Call, ObjectHead, ObjectRef } from '../backend.ts'
import { ATTRIBUTE } from './attributes.ts'
import { Places } from './errors.ts'
import { isRegular } from './file-types.ts'
import { PosixObjectHead, type StoredAttributes } from './head.ts'
import { keyPath, type KeyPath } from './paths.ts'
import { closeFiles, openBucket, type Volume } from './volume.ts'

/** Objects up to this size are read in the chain that opens them, and leave with the headers in one write. */
const READ_AT_ONCE = 64 * 1024

export async function getObject(
  volume: Volume,
  ref: ObjectRef,
  select: (head: ObjectHead) => ByteSlice,
  call: Call,
): Promise<{ head: ObjectHead; slice: ByteSlice; body: Body }> {
  const file = await openObject(volume, ref, 'read', call)
  const { head } = file
  let slice: ByteSlice
  try {
    slice = select(head)
  } catch (error) {
    await file.close()
    throw error
  }
  if (file.bytes !== undefined) {
    const bytes = file.bytes.subarray(slice.offset, slice.offset + slice.length)
    return { head, slice, body: { kind: 'bytes', bytes } }
  }
  return { head, slice, body: { kind: 'file', fd: file.fd, offset: slice.offset, length: slice.length } }
}

export async function headObject(volume: Volume, ref: ObjectRef, call: Call): Promise<ObjectHead> {
  return (await openObject(volume, ref, 'head', call)).head
}

/** An object whose file is, or was, open. */
export interface OpenObject {
  readonly head: ObjectHead
  readonly stat: FileStat
  readonly attributes: StoredAttributes
  /** Open for `read` of a large object and for `keep`; -1 otherwise. The caller closes it. */
  readonly fd: number
  /** All of a small object, for `read`. */
  readonly bytes: Buffer | undefined
  close(): Promise<void>
}

/**
 * Opens an object and reads what there is to know of it, in one chain: everything is read from one descriptor, so that
 * it is told of one and the same object whatever is renamed over its name meanwhile.
 *
 * `head` looks only; `read` reads a small object and leaves a large one open; `keep` leaves it open.
 */
export async function openObject(
  volume: Volume,
  ref: ObjectRef,
  purpose: 'head' | 'read' | 'keep',
  call: Call,
): Promise<OpenObject> {
  const path = keyPath(ref.key)
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, ref.bucket, places)
  const file = path.isDirectory
    ? places.mark('object', chain.openDir(bucket, path.path, { readable: true, keep: purpose === 'keep' }))
    : places.mark('object', chain.openFile(bucket, path.path, { keep: purpose === 'keep' }))
  const stat = places.mark('object', chain.stat(file))
  const metadata = places.mark('object', chain.readMetadata(file))
  let bytes: Step<Buffer | undefined> | undefined
  if (purpose === 'read' && !path.isDirectory) {
    bytes = places.mark('object', chain.readWhole(file, { wholeIfAtMost: READ_AT_ONCE }))
  }
  try {
    await chain.run()
  } catch (error) {
    throw places.toS3Error(error, ref)
  }

  const isOpen = purpose === 'keep' || (bytes !== undefined && bytes.value === undefined)
  const fd = isOpen ? file.value : -1
  const close = async (): Promise<void> => {
    if (isOpen) await closeFiles(volume, call.span, fd)
  }
  if (!isObject(path, stat.value, metadata.value)) {
    await close()
    throw new S3Error('NoSuchKey')
  }
  const head = new PosixObjectHead(stat.value, metadata.value, path.isDirectory, volume.defaultEtag)
  const whole = path.isDirectory ? EMPTY : bytes?.value
  return { head, stat: stat.value, attributes: metadata.value, fd, bytes: whole, close }
}

const EMPTY = Buffer.alloc(0)

/** Regular files are objects; a directory is one if it was put as one, which its etag tells. */
function isObject(path: KeyPath, stat: FileStat, attributes: StoredAttributes): boolean {
  return path.isDirectory ? attributes.has(ATTRIBUTE.etag) : isRegular(stat)
}
