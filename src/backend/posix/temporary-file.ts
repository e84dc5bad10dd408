import { constants } from 'node:os'
import type { FileStat, Step } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import { failureOf } from './errors.ts'
import { isDirectory } from './file-types.ts'
import type { Facts, Publication } from './publish.ts'
import type { BucketChain, Task } from './task.ts'
import {
  TMPFILE_REFUSED,
  isRemovedTmpDir,
  namedPlan,
  openTmpDir,
  removeTemporary,
  temporaryName,
  tmpDirPath,
  usualPlan,
  type Plan,
  type Target,
  type TmpDirSteps,
} from './tmp-dir.ts'

const { ELOOP, ENOENT, ENOTDIR, EXDEV } = constants.errno

const MAX_TRIES = 10

/** An unfinished file that lives across chains. */
export interface TemporaryFile {
  readonly fd: number
  /** The directories it was made in, open as well: the last chain begins where the first one ended. */
  readonly bucket: number
  readonly tmpDir: number
  readonly plan: Plan
  /** In its `.sgwtmp`, where the plan gives it one. */
  readonly name: string | undefined
}

export interface TemporaryFileWanted {
  readonly target: Target
  readonly facts: Facts
  readonly size: number
  readonly preallocate: boolean
}

/** Gives `use` a temporary file on the target's file system, and sees to it that nothing of it is left afterwards. */
export async function withTemporaryFile<T>(
  task: Task,
  wanted: TemporaryFileWanted,
  use: (file: TemporaryFile) => Promise<T>,
): Promise<T> {
  const file = await openTemporaryFile(task, wanted)
  try {
    return await use(file)
  } finally {
    await drop(task, wanted.target, file)
  }
}

/** What a Publication says of a temporary file that holds its bytes: should it be needed elsewhere, it is copied. */
export function filledFrom(
  task: Task,
  file: TemporaryFile,
  size: number,
): Pick<Publication, 'size' | 'filled' | 'fill'> {
  return {
    size,
    filled: file,
    fill: (chain, to) => {
      chain.copyRange(file.fd, 0, to, 0, size, { methods: task.volume.copyMethods })
    },
  }
}

async function openTemporaryFile(task: Task, wanted: TemporaryFileWanted): Promise<TemporaryFile> {
  let plan = usualPlan(task)
  for (let tries = 1; ; tries++) {
    const opening = prepare(task, wanted, plan)
    try {
      await opening.chain.steps.run()
    } catch (error) {
      const next = tries < MAX_TRIES ? otherPlan(task, plan, opening, error) : undefined
      if (next === undefined) throw opening.chain.toS3Error(error)
      plan = next
      continue
    }
    const file: TemporaryFile = {
      fd: opening.file.value,
      bucket: opening.chain.bucketFd,
      tmpDir: opening.tmpDir.opened.value,
      plan,
      name: opening.name,
    }
    const conflict = conflictOf(opening)
    if (conflict === undefined && isWellPlaced(opening)) return file
    await drop(task, wanted.target, file)
    if (conflict !== undefined) throw conflict
    plan = { ...plan, besideTarget: true }
  }
}

interface Opening {
  readonly chain: BucketChain
  readonly tmpDir: TmpDirSteps
  readonly file: Step<number>
  readonly name: string | undefined
  /** Of `.sgwtmp`, the target's directory and the target, where a key is written. */
  readonly looks: Looks | undefined
}

interface Looks {
  readonly tmpDir: Step<FileStat>
  readonly parent: Step<FileStat> | undefined
  readonly existing: Step<FileStat>
}

function prepare(task: Task, wanted: TemporaryFileWanted, plan: Plan): Opening {
  const { target, size, preallocate } = wanted
  const readable = task.volume.durable && target.makeParents && target.directory === ''
  const chain = task.begin({ readable, keep: true })
  const path = tmpDirPath(plan, target)
  const make = plan.makeTmpDir || plan.besideTarget
  const tmpDir = openTmpDir(chain, task, path, { make, keep: true })
  const looks =
    target.makeParents && !plan.besideTarget ? lookAround(chain, tmpDir.opened, target) : undefined
  const name = plan.named ? temporaryName() : undefined
  const file = chain.steps.openTmpFile(tmpDir.opened, {
    size,
    preallocate,
    keep: true,
    attributes: {
      'posix.dir': `${task.subject.bucket}/${path}`,
      ...wanted.facts,
      'posix.size': size,
    },
    ...(name === undefined ? {} : { name }),
  })
  return { chain, tmpDir, file, name, looks }
}

/** Looks early where the name will be, to spare a client from sending gigabytes in vain, and for a mount in between. */
function lookAround({ steps, bucket }: BucketChain, tmpDir: Step<number>, target: Target): Looks {
  const { directory, name } = target
  const path = directory === '' ? name : `${directory}/${name}`
  return {
    tmpDir: steps.stat(tmpDir),
    parent: directory === '' ? undefined : steps.statAt(bucket, directory, { tolerate: ABSENT }),
    existing: steps.statAt(bucket, path, { tolerate: ABSENT }),
  }
}

const ABSENT = [ENOENT, ENOTDIR, ELOOP, EXDEV]

function otherPlan(task: Task, plan: Plan, opening: Opening, error: unknown): Plan | undefined {
  const { step, errno } = failureOf(error)
  if (step === undefined) return undefined
  const { tmpDir, file } = opening
  // `.sgwtmp` is not there, or no longer: then the bucket may be on its way out, too, which opening it will tell.
  const isTmpDir = step === tmpDir.made || step === tmpDir.opened
  const isGone = step === file ? isRemovedTmpDir(errno, plan) : isTmpDir && errno === ENOENT
  if (isGone) return { ...plan, makeTmpDir: true }
  const isRefused = step === file && !plan.named && TMPFILE_REFUSED.has(errno)
  return isRefused ? namedPlan(task, plan) : undefined
}

/** False where the target's directory lies on another file system: a link would fail there. */
function isWellPlaced({ looks }: Opening): boolean {
  if (looks?.parent === undefined || looks.parent.errno !== 0) return true
  return looks.parent.value.dev === looks.tmpDir.value.dev
}

function conflictOf({ looks }: Opening): S3Error | undefined {
  if (looks === undefined) return undefined
  const { parent, existing } = looks
  const isBelowFile = parent !== undefined && parent.errno === 0 && !isDirectory(parent.value)
  if (isBelowFile) return new S3Error('ObjectParentIsFile')
  const isTaken = existing.errno === 0 && isDirectory(existing.value)
  return isTaken ? new S3Error('ExistingObjectIsDirectory') : undefined
}

async function drop(task: Task, target: Target, file: TemporaryFile): Promise<void> {
  await task.close(file.fd, file.tmpDir, file.bucket)
  if (file.name !== undefined) await removeTemporary(task, tmpDirPath(file.plan, target), file.name)
}
