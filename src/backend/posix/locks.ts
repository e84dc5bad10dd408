import { constants } from 'node:os'
import { IoError } from '../../io/io-error.ts'
import type { Call, ObjectRef } from '../backend.ts'
import { Places } from './errors.ts'
import { TMP_DIR, keyHash } from './paths.ts'
import { closeFiles, openBucket, type Volume } from './volume.ts'

const { EINVAL, ENOENT, ENOLCK, ENOSYS, EOPNOTSUPP } = constants.errno

const LOCK_DIR = `${TMP_DIR}/locks`

/** How long a request waits for its turn; then the client is told to slow down. */
const LOCK_TIMEOUT_MS = 30_000

/** File systems without locks: then exclusion holds within this process only. */
const UNSUPPORTED = new Set([EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP])

/** Runs `body` while nobody else compares and replaces this key. 256 locks a bucket: keys share them by hash. */
export function withKeyLock<T>(volume: Volume, ref: ObjectRef, call: Call, body: () => Promise<T>): Promise<T> {
  return withLock(volume, ref.bucket, keyHash(ref.key).slice(0, 2), call, body)
}

/** As `withKeyLock`, for a lock of a single use: its file is removed at the end. */
export function withPassingLock<T>(volume: Volume, bucket: string, name: string, call: Call, body: () => Promise<T>): Promise<T> {
  return withLock(volume, bucket, name, call, async () => {
    try {
      return await body()
    } finally {
      await removeLockFile(volume, bucket, name, call)
    }
  })
}

/**
 * Runs `body` while nobody else holds the bucket's lock `name`, in this process or in any other that serves the directory.
 *
 * Requests of one process queue up here, so that only the first of them waits in the kernel. The lock is an open file
 * description's: it goes with its descriptor, also when the process dies.
 */
async function withLock<T>(volume: Volume, bucket: string, name: string, call: Call, body: () => Promise<T>): Promise<T> {
  const id = `${bucket}/${name}`
  const ahead = volume.lockLines.get(id)
  const turn = takeTurn(volume, bucket, name, call, ahead, body)
  volume.lockLines.set(id, turn)
  try {
    return await turn
  } finally {
    if (volume.lockLines.get(id) === turn) volume.lockLines.delete(id)
  }
}

async function takeTurn<T>(
  volume: Volume,
  bucket: string,
  name: string,
  call: Call,
  ahead: Promise<unknown> | undefined,
  body: () => Promise<T>,
): Promise<T> {
  await ahead?.catch(() => undefined)
  const fd = await takeLock(volume, bucket, name, call)
  try {
    return await body()
  } finally {
    if (fd !== undefined) await closeFiles(volume, call.span, fd)
  }
}

/** The descriptor that holds the lock; undefined where the file system knows no locks. */
async function takeLock(volume: Volume, bucket: string, name: string, call: Call, make = false): Promise<number | undefined> {
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const dir = openBucket(chain, volume, bucket, places)
  const locks = make
    ? chain.makeParents(dir, LOCK_DIR, { mode: volume.dirMode, sync: false })
    : chain.openDir(dir, LOCK_DIR)
  const lock = chain.lock(locks, name, { exclusive: true, timeoutMs: LOCK_TIMEOUT_MS, keep: true })
  const stat = chain.stat(lock)
  try {
    await chain.run()
  } catch (error) {
    if (error instanceof IoError && error.step === lock && UNSUPPORTED.has(error.errno)) return undefined
    if (error instanceof IoError && error.step === locks && error.errno === ENOENT && !make) {
      return takeLock(volume, bucket, name, call, true)
    }
    throw places.toS3Error(error, { bucket })
  }
  if (stat.value.nlink > 0) return lock.value
  // Whoever held the lock before us has removed the file: the next one to come would lock another.
  await closeFiles(volume, call.span, lock.value)
  return takeLock(volume, bucket, name, call)
}

/** While the lock is held: whoever waits for it finds out (`takeLock`). */
async function removeLockFile(volume: Volume, bucket: string, name: string, call: Call): Promise<void> {
  const chain = volume.io.chain(call.span)
  const locks = chain.openDir(openBucket(chain, volume, bucket, new Places()), LOCK_DIR)
  chain.remove(locks, name)
  await chain.run().catch(() => undefined)
}
