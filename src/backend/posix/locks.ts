import { constants } from 'node:os'
import { SPAN } from '../../trace/names.ts'
import type { ObjectRef } from '../backend.ts'
import { failureOf } from './errors.ts'
import { TMP_DIR, keyHash } from './paths.ts'
import type { Task } from './task.ts'
import type { LockTurn } from './volume.ts'

const { EINVAL, ENOENT, ENOLCK, ENOSYS, EOPNOTSUPP } = constants.errno

const LOCK_DIR = `${TMP_DIR}/locks`

/** How long a request waits for its turn; then the client is told to slow down. */
const LOCK_TIMEOUT_MS = 30_000

/** File systems without locks: then exclusion holds within this process only. */
const UNSUPPORTED = new Set([EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP])

/** Runs `body` while nobody else compares and replaces this key. 256 locks a bucket: keys share them by hash. */
export function withKeyLock<T>(task: Task<ObjectRef>, body: () => Promise<T>): Promise<T> {
  return withLock(task, keyHash(task.subject.key).slice(0, 2), body)
}

/** Runs `body` while nobody else holds a lock that is used once: its file is removed at the end. */
export function withPassingLock<T>(task: Task, name: string, body: () => Promise<T>): Promise<T> {
  return withLock(task, name, async () => {
    try {
      return await body()
    } finally {
      await removeLockFile(task, name)
    }
  })
}

/**
 * Runs `body` while nobody else holds the bucket's lock `name`, in this process or in any other that serves the directory.
 *
 * Requests of one process queue up here, so that only the first of them waits in the kernel. The lock is an open file
 * description's: it goes with its descriptor, also when the process dies.
 */
async function withLock<T>(task: Task, name: string, body: () => Promise<T>): Promise<T> {
  const { lockLines } = task.volume
  const id = `${task.subject.bucket}/${name}`
  const ahead = lockLines.get(id)
  const done = (async () => {
    if (ahead !== undefined) await waitBehind(ahead, task)
    const fd = await takeLock(task, name)
    try {
      return await body()
    } finally {
      if (fd !== undefined) await task.close(fd)
    }
  })()
  const turn = { done, traceId: task.span.recorder.traceId }
  lockLines.set(id, turn)
  try {
    return await done
  } finally {
    if (lockLines.get(id) === turn) lockLines.delete(id)
  }
}

/** A span as of the step that waits in the kernel, which here can say whom it waits for. */
async function waitBehind({ done, traceId }: LockTurn, { span }: Task): Promise<void> {
  const wait = span.child(SPAN.waitLock, { 'posix.queue_ms': 0, 'posix.lock_holder': traceId })
  await done.catch(() => undefined)
  wait.end()
}

const MAX_TRIES = 10

/** The descriptor that holds the lock; undefined where the file system knows no locks. */
async function takeLock(task: Task, name: string, tries = 1): Promise<number | undefined> {
  const { dirMode, durable } = task.volume
  const chain = task.begin()
  const { steps, bucket } = chain
  const locks =
    tries > 1
      ? steps.makeParents(bucket, LOCK_DIR, { mode: dirMode, sync: durable })
      : steps.openDir(bucket, LOCK_DIR, { expected: MISSING })
  const lock = steps.lock(locks, name, { exclusive: true, timeoutMs: LOCK_TIMEOUT_MS, keep: true })
  const stat = steps.stat(lock)
  try {
    await steps.run()
  } catch (error) {
    const { step, errno } = failureOf(error)
    if (step === lock && UNSUPPORTED.has(errno)) return undefined
    // The directory is made for the first lock, and removed with the bucket: if that is what happens, opening it will tell.
    const isMissing = errno === ENOENT && (step === locks || step === lock)
    if (isMissing && tries < MAX_TRIES) return takeLock(task, name, tries + 1)
    throw chain.toS3Error(error)
  }
  if (stat.value.nlink > 0) return lock.value
  // Whoever held the lock before us has removed the file: the next one to come would lock another.
  await task.close(lock.value)
  return takeLock(task, name)
}

const MISSING = [ENOENT]

/** While the lock is held: whoever waits for it finds out (`takeLock`). */
async function removeLockFile(task: Task, name: string): Promise<void> {
  const chain = task.begin()
  chain.steps.remove(chain.steps.openDir(chain.bucket, LOCK_DIR), name)
  await chain.attempt()
}
