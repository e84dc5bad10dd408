import { constants } from 'node:os'
import type { FileStat } from '../../../io/io.ts'
import type { ObjectHead, ObjectRef } from '../../backend.ts'
import type { BucketLock } from '../../bucket-lock.ts'
import { readVersioning, type VersioningState } from '../../versioning.ts'
import { ATTRIBUTE } from '../attributes.ts'
import { isRegular } from '../file-types.ts'
import { PosixObjectHead, type StoredAttributes } from '../head.ts'
import { keyPath } from '../paths.ts'
import { lockOf, noteMarks } from '../protection.ts'
import type { Task } from '../task.ts'
import { versionIdOf } from './layout.ts'

const { EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EXDEV } = constants.errno

/** A version, open: an object or a delete marker. */
export interface VersionFile {
  readonly fd: number
  readonly stat: FileStat
  readonly attributes: StoredAttributes
  readonly id: string
  readonly isDeleteMarker: boolean
}

export interface CurrentState {
  readonly versioning: VersioningState
  readonly lock: BucketLock | undefined
  /** By the bucket's directory: not before this its attributes have changed last. */
  readonly settledMs: number
  readonly file: VersionFile | undefined
  /** There is nothing at all under the key, not even what is no object. */
  readonly isAbsent: boolean
}

/** What a bucket does with versions and what lies under a key, which stays open for as long as `use` runs. */
export async function withCurrent<T>(
  task: Task<ObjectRef>,
  use: (state: CurrentState) => Promise<T>,
): Promise<T> {
  const sinceMs = performance.now()
  const chain = task.begin({ readable: true })
  const { steps, bucket } = chain
  const directory = steps.stat(bucket)
  const marks = steps.readMetadata(bucket, MARKS)
  const opened = steps.openFile(bucket, keyPath(task.subject.key).path, {
    keep: true,
    tolerate: NO_OBJECT,
  })
  const stat = steps.stat(opened)
  const metadata = steps.readMetadata(opened)
  await chain.run()
  noteMarks(task, marks.value, sinceMs)
  const isOpen = opened.errno === 0
  try {
    return await use({
      versioning: readVersioning(marks.value.get(ATTRIBUTE.versioning)),
      lock: lockOf(marks.value),
      settledMs: directory.value.ctimeSec * 1000,
      file:
        isOpen && isRegular(stat.value)
          ? versionFile(opened.value, stat.value, metadata.value)
          : undefined,
      isAbsent: opened.errno === ENOENT,
    })
  } finally {
    if (isOpen) await task.close(opened.value)
  }
}

const MARKS = [ATTRIBUTE.versioning, ATTRIBUTE.bucketLock]

const NO_OBJECT = [EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EXDEV]

export function versionFile(
  fd: number,
  stat: FileStat,
  attributes: StoredAttributes,
  id = versionIdOf(attributes),
): VersionFile {
  return { fd, stat, attributes, id, isDeleteMarker: attributes.has(ATTRIBUTE.deleteMarker) }
}

/** What conditions are held against: a delete marker is nothing. */
export function headOf(task: Task, file: VersionFile | undefined): ObjectHead | undefined {
  if (file === undefined || file.isDeleteMarker) return undefined
  return new PosixObjectHead(file.stat, file.attributes, false, task.volume.defaultEtag)
}

/** Whether what is deleted or replaced in the bucket is kept. */
export async function keepsVersions(task: Task): Promise<boolean> {
  if (task.volume.versions === undefined) return false
  const chain = task.begin({ readable: true })
  const stored = chain.steps.readMetadata(chain.bucket, [ATTRIBUTE.versioning])
  await chain.run()
  return readVersioning(stored.value.get(ATTRIBUTE.versioning)) === 'Enabled'
}
