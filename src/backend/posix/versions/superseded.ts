import { constants } from 'node:os'
import type { FileStat } from '../../../io/io.ts'
import type { ObjectRef } from '../../backend.ts'
import { toS3Error } from '../errors.ts'
import { isRegular } from '../file-types.ts'
import { DT_REG, entryName } from '../packed-names.ts'
import { bucketEntry } from '../paths.ts'
import type { Task } from '../task.ts'
import { versionsTask } from './archive.ts'
import { versionFile, type VersionFile } from './current.ts'
import { isVersionName, versionsOfKey } from './layout.ts'
import { compareVersions } from './version-id.ts'

const { ENOENT, ENOTDIR } = constants.errno

/** Runs `use` with a superseded version open; without one where there is none of that id. */
export async function withSuperseded<T>(
  task: Task<ObjectRef>,
  versionId: string,
  use: (file: VersionFile | undefined) => Promise<T>,
): Promise<T> {
  const { volume, subject } = versionsTask(task)
  const path = `${bucketEntry(subject.bucket)}/${versionsOfKey(subject.key)}/${versionId}`
  const chain = task.chain()
  const opened = chain.openFile(volume.root, path, { keep: true, tolerate: ABSENT })
  const stat = chain.stat(opened)
  const metadata = chain.readMetadata(opened)
  try {
    await chain.run()
  } catch (error) {
    throw toS3Error(error, 'object', subject)
  }
  const isOpen = opened.errno === 0
  try {
    const isVersion = isOpen && isRegular(stat.value)
    return await use(
      isVersion ? versionFile(opened.value, stat.value, metadata.value, versionId) : undefined,
    )
  } finally {
    if (isOpen) await task.close(opened.value)
  }
}

const ABSENT = [ENOENT, ENOTDIR]

/** The ids of a key's superseded versions, the newest first, but for `except`. */
export async function supersededIds(
  task: Task<ObjectRef>,
  except: string,
): Promise<readonly string[]> {
  const { volume, subject } = versionsTask(task)
  const path = `${bucketEntry(subject.bucket)}/${versionsOfKey(subject.key)}`
  const chain = task.chain()
  const directory = chain.openDir(volume.root, path, { readable: true, tolerate: ABSENT })
  const list = chain.listDir(directory)
  try {
    await chain.run()
    if (directory.errno !== 0) return []
    const ids: string[] = []
    for (let i = 0; i < list.value.count; i++) {
      const name = list.value.types[i] === DT_REG ? entryName(list.value, i) : undefined
      if (name !== undefined && name !== except && isVersionName(name)) ids.push(name)
    }
    return await newestFirst(task, path, ids)
  } catch (error) {
    throw toS3Error(error, 'other', subject)
  }
}

/** Only a null version has to be looked at: the others tell their time by their names. */
async function newestFirst(
  task: Task<ObjectRef>,
  path: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  const times = new Map<string, FileStat>()
  const nulls = ids.filter((id) => id === 'null')
  if (ids.length > 1 && nulls.length > 0) {
    const chain = task.chain()
    const stat = chain.statAt(versionsTask(task).volume.root, `${path}/null`)
    await chain.run()
    times.set('null', stat.value)
  }
  return ids
    .map((id) => ({ id, mtimeMs: times.get(id)?.mtimeMs ?? 0 }))
    .toSorted(compareVersions)
    .map(({ id }) => id)
}
