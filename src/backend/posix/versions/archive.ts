import { constants } from 'node:os'
import type { Chain, Fd } from '../../../io/io.ts'
import type { ObjectRef } from '../../backend.ts'
import { ATTRIBUTE, type Attribute } from '../attributes.ts'
import { copyData } from '../copy-data.ts'
import { failureOf, toS3Error } from '../errors.ts'
import { bucketEntry } from '../paths.ts'
import { publish } from '../publish.ts'
import { Task } from '../task.ts'
import { filledFrom, withTemporaryFile } from '../temporary-file.ts'
import type { Target } from '../tmp-dir.ts'
import { NO_TERMS, type WriteTerms } from '../terms.ts'
import type { VersionFile } from './current.ts'
import { versionsOfKey } from './layout.ts'

const { EEXIST, EMLINK, ENOENT, ENOSYS, EOPNOTSUPP, EPERM, EXDEV } = constants.errno

/**
 * Keeps the file under a key as a superseded version.
 *
 * On one file system that is a second name for it: made before the first one is taken away, so that whoever is killed in
 * between leaves one version under both, never none. Elsewhere, or where links are refused, the file is copied, with its
 * attributes and its time, and the copy gets its name when it is whole.
 */
export async function archive(task: Task<ObjectRef>, file: VersionFile): Promise<void> {
  if (await linkVersion(task, file)) return
  const { key } = task.subject
  const target = { directory: versionsOfKey(key), name: file.id, makeParents: true, replace: true }
  await publishCopy(versionsTask(task), file, { target })
}

/** The same call in the directory of superseded versions. */
export function versionsTask({ volume, span, subject, owner }: Task<ObjectRef>): Task<ObjectRef> {
  if (volume.versions === undefined) throw new Error('there is no place for versions')
  return new Task(volume.versions, span, subject, owner)
}

/** The span of a version that changes its place. */
export function versionFacts(
  { subject }: Task<ObjectRef>,
  versionId: string,
): Record<string, string> {
  return {
    'posix.bucket': subject.bucket,
    'posix.object': subject.key,
    's3.version_id': versionId,
  }
}

const MAX_TRIES = 24

/** False where it has to be copied. */
async function linkVersion(task: Task<ObjectRef>, file: VersionFile): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    const chain = task.chain()
    const { volume, subject } = versionsTask(task)
    const { root, durable, dirMode } = volume
    const path = `${bucketEntry(subject.bucket)}/${versionsOfKey(subject.key)}`
    const directory = chain.makeParents(root, path, { mode: dirMode, sync: durable })
    const link = chain.linkFile(file.fd, directory, file.id, {
      tmpDir: directory,
      replace: false,
      attributes: versionFacts(task, file.id),
      expected: COPY_INSTEAD,
    })
    if (durable) chain.sync(directory, 'dir')
    try {
      await chain.run()
      return true
    } catch (error) {
      const { step, errno } = failureOf(error)
      if (step === link && COPY_INSTEAD.includes(errno)) return false
      // Somebody has removed a directory that was empty, between making it and using it.
      const isRace = errno === ENOENT && (step === link || step === directory)
      if (!isRace || tries === MAX_TRIES) throw toS3Error(error, 'parents', subject)
    }
  }
}

/**
 * EEXIST: an older null version that was never removed, or what somebody copied who was killed before he replaced the
 * file. EPERM: a file of somebody else's, where the kernel protects those against links.
 */
const COPY_INSTEAD = [EEXIST, EMLINK, ENOSYS, EOPNOTSUPP, EPERM, EXDEV]

/**
 * Publishes a copy of a version, true to its attributes and its time, where a link or a rename cannot bring it: on another
 * file system.
 */
export async function publishCopy(
  task: Task<ObjectRef>,
  { fd, stat, attributes, id }: Omit<VersionFile, 'isDeleteMarker'>,
  { target, terms = NO_TERMS }: { readonly target: Target; readonly terms?: WriteTerms },
): Promise<void> {
  const { size } = stat
  const facts = versionFacts(task, id)
  await withTemporaryFile(task, { target, facts, size, preallocate: false }, async (file) => {
    await copyData(task, { from: fd, range: { offset: 0, length: size }, to: file.fd, kinds: [] })
    const timing = task.chain()
    timing.setModified(file.fd, stat)
    await timing.run()
    const filled = filledFrom(task, file, size)
    const fill = (chain: Chain, to: Fd): void => {
      filled.fill(chain, to)
      chain.setModified(to, stat)
    }
    const carried: Attribute[] = [...attributes]
    await publish(task, { target, terms, facts, attributes: carried, ...filled, fill })
  })
}

/** Removes a superseded version, and the directories that it leaves empty. What is not there is removed already. */
export async function removeSuperseded(task: Task<ObjectRef>, versionId: string): Promise<void> {
  const { volume, subject } = versionsTask(task)
  const path = versionsOfKey(subject.key)
  const chain = task.chain()
  const bucket = chain.openDir(volume.root, bucketEntry(subject.bucket), { tolerate: [ENOENT] })
  const directory = chain.openDir(bucket, path, { tolerate: [ENOENT] })
  chain.remove(directory, versionId, {
    tolerate: [ENOENT],
    attributes: versionFacts(task, versionId),
  })
  chain.pruneParents(bucket, path, {
    stopAt: ATTRIBUTE.etag,
    sync: volume.durable,
    tolerate: [ENOENT],
  })
  try {
    await chain.run()
  } catch (error) {
    throw toS3Error(error, 'other', subject)
  }
}
