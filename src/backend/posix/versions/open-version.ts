import { constants } from 'node:os'
import type { FileStat, Step } from '../../../io/io.ts'
import { S3Error } from '../../../s3/errors.ts'
import { invalidVersion } from '../../../s3/version-id.ts'
import type { ObjectRef } from '../../backend.ts'
import { isStale } from '../errors.ts'
import { PosixObjectHead, type StoredAttributes } from '../head.ts'
import { READ_AT_ONCE, whyNoObject, type OpenObject, type Purpose } from '../opened.ts'
import { bucketEntry, keyPath } from '../paths.ts'
import type { BucketChain, Task } from '../task.ts'
import { NULL_VERSION, versionIdOf, versionsOfKey } from './layout.ts'

const { EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EXDEV } = constants.errno

/** A version that is promoted lies in neither place for those who look at the wrong moment. */
const MAX_TRIES = 20

/**
 * Opens one version of an object: the file under the key if that is it, else the one that lies with the superseded ones.
 *
 * A version moves from the first place to the second by a link that is made before the first is replaced, so looking in
 * this order finds it. It moves back when the one that took its place is deleted: so what is found nowhere is looked for
 * again if the file under the key is another one by now.
 */
export async function openVersion(
  task: Task<ObjectRef>,
  versionId: string,
  purpose: Purpose,
): Promise<OpenObject> {
  let before: FileStat | undefined
  for (let tries = 1; ; tries++) {
    const found = await look(task, versionId).catch((error: unknown) => {
      if (isStale(error) && tries < MAX_TRIES) return undefined
      throw error
    })
    if (found === undefined) continue
    if (found.file !== undefined) return take(task, found.file, purpose)
    const { current } = found
    if (current === undefined) throw new S3Error('NoSuchKey')
    const isSettled =
      before !== undefined && before.ino === current.ino && before.dev === current.dev
    if (isSettled || tries === MAX_TRIES) throw noSuchVersion(task.subject.key, versionId)
    before = current
  }
}

function noSuchVersion(key: string, versionId: string): S3Error {
  return new S3Error('NoSuchVersion', { Key: key, VersionId: versionId })
}

interface FoundFile {
  readonly isCurrent: boolean
  readonly fd: number
  readonly stat: FileStat
  readonly attributes: StoredAttributes
}

interface Found {
  /** The version, open. */
  readonly file: FoundFile | undefined
  /** Of the file under the key. */
  readonly current: FileStat | undefined
}

async function look(task: Task<ObjectRef>, versionId: string): Promise<Found> {
  const { key, bucket: name } = task.subject
  const { versions } = task.volume
  const path = keyPath(key)
  const chain = task.begin()
  const { steps, bucket } = chain
  const options = { keep: true, tolerate: ABSENT }
  const current = looking(
    chain,
    path.isDirectory
      ? steps.openDir(bucket, path.path, { ...options, readable: true })
      : steps.openFile(bucket, path.path, options),
  )
  // Directory objects have no versions.
  const archived =
    versions === undefined || path.isDirectory
      ? undefined
      : looking(
          chain,
          steps.openFile(
            versions.root,
            `${bucketEntry(name)}/${versionsOfKey(key)}/${versionId}`,
            options,
          ),
        )
  await chain.run()
  if (versions === undefined) {
    await task.close(...openOf(current))
    throw invalidVersion(versionId)
  }
  const isCurrent = current.file.errno === 0 && versionIdOf(current.metadata.value) === versionId
  const found = isCurrent ? current : archived?.file.errno === 0 ? archived : undefined
  const unused = [current, archived].flatMap((one) => (one === found ? [] : openOf(one)))
  if (unused.length > 0) await task.close(...unused)
  return {
    file: found && {
      isCurrent,
      fd: found.file.value,
      stat: found.stat.value,
      attributes: found.metadata.value,
    },
    current: current.file.errno === 0 ? current.stat.value : undefined,
  }
}

const ABSENT = [EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EXDEV]

interface Looking {
  readonly file: Step<number>
  readonly stat: Step<FileStat>
  readonly metadata: Step<StoredAttributes>
}

function looking(chain: BucketChain, opened: Step<number>): Looking {
  const file = chain.at('object', opened)
  return {
    file,
    stat: chain.at('object', chain.steps.stat(file)),
    metadata: chain.at('object', chain.steps.readMetadata(file)),
  }
}

function openOf(one: Looking | undefined): readonly number[] {
  return one?.file.errno === 0 ? [one.file.value] : []
}

/** The version as it was asked for; nothing stays open that the caller does not expect. */
async function take(
  task: Task<ObjectRef>,
  { fd, stat, attributes, isCurrent }: FoundFile,
  purpose: Purpose,
): Promise<OpenObject> {
  const { key } = task.subject
  const path = keyPath(key)
  const refusal = whyNoObject(path, stat, attributes, true)
  const isSmall = path.isDirectory || stat.size <= READ_AT_ONCE
  const keeps = refusal === undefined && (purpose === 'keep' || (purpose === 'read' && !isSmall))
  let bytes: Buffer | undefined
  if (!keeps) {
    const chain = task.chain()
    const isRead = refusal === undefined && purpose === 'read' && stat.size > 0 && !path.isDirectory
    const data = isRead ? chain.readData(fd, { offset: 0, length: stat.size }) : undefined
    chain.close(fd)
    await chain.run()
    bytes = data?.value ?? EMPTY
  }
  if (refusal !== undefined) throw refusal
  const { defaultEtag } = task.volume
  const head = new PosixObjectHead(stat, attributes, path.isDirectory, defaultEtag, NULL_VERSION)
  return { head, stat, attributes, fd: keeps ? fd : -1, isCurrent, bytes }
}

const EMPTY = Buffer.alloc(0)
