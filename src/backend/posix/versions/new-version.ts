import { S3Error } from '../../../s3/errors.ts'
import type { ObjectHead, ObjectRef } from '../../backend.ts'
import { withKeyLock } from '../locks.ts'
import { checkProtection, givenRetention } from '../protection.ts'
import type { Task } from '../task.ts'
import { NO_TERMS, OvertakenError, type VersionTerms, type WriteTerms } from '../terms.ts'
import { archive, removeSuperseded } from './archive.ts'
import { headOf, withCurrent, type CurrentState, type VersionFile } from './current.ts'
import { NULL_VERSION } from './layout.ts'
import { withSuperseded } from './superseded.ts'
import { newVersionId, nullVersionTime } from './version-id.ts'

/** Whoever takes no lock (VersityGW, a program on the machine) may get there first again and again. */
const MAX_TRIES = 50

/** How the file under a key is replaced. */
export type Write<T> = (terms: WriteTerms, current: VersionFile | undefined) => Promise<T>

/**
 * Runs `write` under the key's lock: in a bucket with versioning what lies under the key is kept first, then a new version
 * takes its place; in one without it replaces what is there.
 *
 * The new version replaces only the file that was kept: of writes side by side each becomes a version, also where a file
 * system has no locks.
 */
export async function withNewVersion<T>(
  task: Task<ObjectRef>,
  check: (head: ObjectHead | undefined) => void,
  write: Write<T>,
): Promise<T> {
  const { written, settledMs } = await withKeyLock(task, async () => {
    for (let tries = 1; ; tries++) {
      try {
        return await withCurrent(task, async (state) => {
          await refuse(task, state, check)
          return { written: await replace(task, state, write), settledMs: settledBy(state) }
        })
      } catch (error) {
        if (!(error instanceof OvertakenError)) throw error
        if (tries === MAX_TRIES) throw new S3Error('SlowDown', {}, { cause: error })
      }
    }
  })
  // Only once everybody knows of the bucket's versions is one safe from those who take it for a plain one.
  if (settledMs !== undefined)
    await task.volume.plainBuckets.settled(task.subject.bucket, settledMs)
  return written
}

function settledBy({ versioning, lock, settledMs }: CurrentState): number | undefined {
  return versioning === undefined && lock === undefined ? undefined : settledMs
}

/** What is kept may be replaced whatever protects it. */
async function refuse(
  task: Task<ObjectRef>,
  { versioning, lock, file }: CurrentState,
  check: (head: ObjectHead | undefined) => void,
): Promise<void> {
  if (lock !== undefined && versioning !== 'Enabled') {
    if (file !== undefined) await checkProtection(task, file.attributes, lock)
    // It is removed: there is one null version.
    if (versioning === 'Suspended')
      await withSuperseded(task, NULL_VERSION, async (old) => {
        if (old !== undefined) await checkProtection(task, old.attributes, lock)
      })
  }
  check(headOf(task, file))
}

async function replace<T>(
  task: Task<ObjectRef>,
  { versioning, lock, file, isAbsent }: CurrentState,
  write: Write<T>,
): Promise<T> {
  const terms = {
    ...NO_TERMS,
    onlyOver: file?.stat,
    retention: lock && givenRetention(task.volume, lock),
  }
  if (versioning === undefined) return write(terms, file)
  const isEnabled = versioning === 'Enabled'
  // While versioning is suspended a null version takes the place of the one before.
  if (file !== undefined && (isEnabled || file.id !== NULL_VERSION)) await archive(task, file)
  const before = file && { id: file.id, mtimeMs: file.stat.mtimeMs }
  const version: VersionTerms = {
    id: isEnabled ? newVersionId(before) : undefined,
    time: isEnabled ? undefined : nullVersionTime(before),
    overNothing: isAbsent,
  }
  const written = await write({ ...terms, version }, file)
  // What cannot be removed is hidden by the current one, and goes when that is superseded or deleted.
  if (!isEnabled) await removeSuperseded(task, NULL_VERSION).catch(() => undefined)
  return written
}
