import { constants } from 'node:os'
import type { DirEntries, Fd } from '../../../io/io.ts'
import { toS3Error } from '../errors.ts'
import { DT_DIR, entryName } from '../packed-names.ts'
import { TMP_DIR, bucketEntry } from '../paths.ts'
import type { Task } from '../task.ts'

const { EEXIST, ENOENT, ENOTDIR, ENOTEMPTY } = constants.errno

/**
 * Whether a bucket has superseded versions. Directories without any, as somebody may leave who is killed between making
 * them and using them, are removed on the way: they would keep the bucket for ever.
 */
export async function hasVersions(task: Task): Promise<boolean> {
  const { versions } = task.volume
  if (versions === undefined) return false
  try {
    return await holdsFile(task, versions.root, bucketEntry(task.subject.bucket), LEVELS)
  } catch (error) {
    throw toS3Error(error, 'other', task.subject)
  }
}

/** Three of two digits each, and the key's. */
const LEVELS = 4

/** A file, or anything deeper than versions lie: what is not the gateway's own is not removed. */
async function holdsFile(task: Task, dir: Fd, path: string, levels: number): Promise<boolean> {
  const entries = await list(task, dir, path)
  for (let i = 0; i < (entries?.count ?? 0); i++) {
    const name = entries === undefined ? undefined : entryName(entries, i)
    if (name === TMP_DIR) continue
    if (name === undefined || entries?.types[i] !== DT_DIR || levels === 0) return true
    const below = `${path}/${name}`
    if (await holdsFile(task, dir, below, levels - 1)) return true
    const chain = task.chain()
    chain.remove(dir, below, { directory: true, tolerate: LEFT_ALONE })
    await chain.run()
  }
  return false
}

async function list(task: Task, dir: Fd, path: string): Promise<DirEntries | undefined> {
  const chain = task.chain()
  const opened = chain.openDir(dir, path, { readable: true, tolerate: [ENOENT, ENOTDIR] })
  const entries = chain.listDir(opened)
  await chain.run()
  return opened.errno === 0 ? entries.value : undefined
}

/** Somebody was faster: another removed it, or a version has been put there. */
const LEFT_ALONE = [EEXIST, ENOENT, ENOTEMPTY]

/** Removes what is left of a bucket that is no more: its temporary files, and the directory, unless that is in use again. */
export async function removeVersionsDirectory(task: Task): Promise<void> {
  const { versions } = task.volume
  if (versions === undefined) return
  const chain = task.chain()
  const entry = bucketEntry(task.subject.bucket)
  const directory = chain.openDir(versions.root, entry, { tolerate: [ENOENT] })
  chain.removeTree(directory, TMP_DIR, { tolerate: [ENOENT] })
  chain.remove(versions.root, entry, { directory: true, tolerate: LEFT_ALONE })
  if (versions.durable) chain.sync(versions.root, 'dir')
  // The bucket is gone: what cannot be removed here is litter.
  await chain.run().catch(() => undefined)
}
