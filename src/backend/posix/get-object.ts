import { S3Error } from '../../s3/errors.ts'
import type { Step } from '../../io/io.ts'
import type { Body, ByteSlice, ObjectHead, ObjectRef } from '../backend.ts'
import { isStale } from './errors.ts'
import { PosixObjectHead } from './head.ts'
import { READ_AT_ONCE, whyNoObject, type OpenObject, type Purpose } from './opened.ts'
import { keyPath } from './paths.ts'
import type { Task } from './task.ts'
import { openVersion } from './versions/open-version.ts'

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

/**
 * Opens an object and reads what there is to know of it, in one chain: everything is read from one descriptor, so that
 * it is told of one and the same object whatever is renamed over its name meanwhile.
 */
export async function openObject(
  task: Task<ObjectRef>,
  purpose: Purpose,
  tries = 1,
): Promise<OpenObject> {
  const { versionId } = task.subject
  if (versionId !== undefined) return openVersion(task, versionId, purpose)
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
  try {
    await chain.run()
  } catch (error) {
    if (isStale(error) && tries < MAX_TRIES) return openObject(task, purpose, tries + 1)
    throw error
  }

  const isOpen = keep || (content !== undefined && content.value === undefined)
  const fd = isOpen ? file.value : -1
  const refusal = whyNoObject(path, stat.value, metadata.value, false)
  if (refusal !== undefined) {
    if (isOpen) await task.close(fd)
    throw refusal
  }
  const head = new PosixObjectHead(
    stat.value,
    metadata.value,
    path.isDirectory,
    task.volume.defaultEtag,
  )
  const bytes = path.isDirectory ? EMPTY : content?.value
  return { head, stat: stat.value, attributes: metadata.value, fd, isCurrent: true, bytes }
}

const EMPTY = Buffer.alloc(0)

/** Attributes beside a file that was replaced meanwhile are gone: the one in its place has others. */
const MAX_TRIES = 16
