import { constants } from 'node:os'
import { IoError } from '../../io/io-error.ts'
import type { Chain, FileStat, Step } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Call } from '../backend.ts'
import { Places, type Subject } from './errors.ts'
import { isDirectory } from './file-types.ts'
import type { Facts, Publication } from './publish.ts'
import {
  TMPFILE_REFUSED,
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
import { closeFiles, openBucket, type Volume } from './volume.ts'

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
  readonly subject: Subject
  readonly target: Target
  readonly facts: Facts
  readonly size: number
  readonly preallocate: boolean
}

/** Gives `use` a temporary file on the target's file system, and sees to it that nothing of it is left afterwards. */
export async function withTemporaryFile<T>(
  volume: Volume,
  wanted: TemporaryFileWanted,
  call: Call,
  use: (file: TemporaryFile) => Promise<T>,
): Promise<T> {
  const file = await openTemporaryFile(volume, wanted, call)
  try {
    return await use(file)
  } finally {
    await drop(volume, wanted, file, call)
  }
}

/** What a Publication says of a temporary file that holds its bytes: should it be needed elsewhere, it is copied. */
export function filledFrom(
  volume: Volume,
  file: TemporaryFile,
  size: number,
): Pick<Publication, 'size' | 'filled' | 'fill'> {
  return {
    size,
    filled: file,
    fill: (chain, to) => {
      chain.copyRange(file.fd, 0, to, 0, size, { methods: volume.copyMethods })
    },
  }
}

async function openTemporaryFile(volume: Volume, wanted: TemporaryFileWanted, call: Call): Promise<TemporaryFile> {
  const { subject } = wanted
  let plan = usualPlan(volume, subject.bucket)
  for (let tries = 1; ; tries++) {
    const opening = prepare(volume, wanted, plan, call)
    try {
      await opening.chain.run()
    } catch (error) {
      const next = tries < MAX_TRIES ? otherPlan(volume, subject.bucket, plan, opening, error) : undefined
      if (next === undefined) throw opening.places.toS3Error(error, subject)
      plan = next
      continue
    }
    const { bucket, tmpDir, name } = opening
    const file: TemporaryFile = { fd: opening.file.value, bucket: bucket.value, tmpDir: tmpDir.opened.value, plan, name }
    const conflict = conflictOf(opening)
    if (conflict === undefined && isWellPlaced(opening)) return file
    await drop(volume, wanted, file, call)
    if (conflict !== undefined) throw conflict
    plan = { ...plan, besideTarget: true }
  }
}

interface Opening {
  readonly chain: Chain
  readonly places: Places
  readonly bucket: Step<number>
  readonly tmpDir: TmpDirSteps
  readonly file: Step<number>
  readonly name: string | undefined
  /** Of `.sgwtmp`, the target's directory and the target, where a key is written. */
  readonly looks: { readonly tmpDir: Step<FileStat>; readonly parent: Step<FileStat> | undefined; readonly existing: Step<FileStat> } | undefined
}

function prepare(volume: Volume, wanted: TemporaryFileWanted, plan: Plan, call: Call): Opening {
  const { subject, target, size, preallocate } = wanted
  const places = new Places()
  const chain = volume.io.chain(call.span)
  const isSynced = volume.durable && target.makeParents && target.directory === ''
  const bucket = openBucket(chain, volume, subject.bucket, places, { readable: isSynced, keep: true })
  const tmpDir = openTmpDir(chain, volume, bucket, plan, target, places, true)
  const looks = target.makeParents && !plan.besideTarget ? lookAround(chain, bucket, tmpDir.opened, target) : undefined
  const name = plan.named ? temporaryName() : undefined
  const file = chain.openTmpFile(tmpDir.opened, {
    size,
    preallocate,
    keep: true,
    attributes: { 'posix.dir': `${subject.bucket}/${tmpDirPath(plan, target)}`, ...wanted.facts, 'posix.size': size },
    ...(name === undefined ? {} : { name }),
  })
  return { chain, places, bucket, tmpDir, file, name, looks }
}

/** Looks early where the name will be, to spare a client from sending gigabytes in vain, and for a mount in between. */
function lookAround(chain: Chain, bucket: Step<number>, tmpDir: Step<number>, target: Target): NonNullable<Opening['looks']> {
  const { directory, name } = target
  return {
    tmpDir: chain.stat(tmpDir),
    parent: directory === '' ? undefined : chain.statAt(bucket, directory, { tolerate: ABSENT }),
    existing: chain.statAt(bucket, directory === '' ? name : `${directory}/${name}`, { tolerate: ABSENT }),
  }
}

const ABSENT = [ENOENT, ENOTDIR, ELOOP, EXDEV]

function otherPlan(volume: Volume, bucket: string, plan: Plan, opening: Opening, error: unknown): Plan | undefined {
  if (!(error instanceof IoError) || error.step === undefined) return undefined
  const { tmpDir, file } = opening
  // `.sgwtmp` is not there, or no longer: then the bucket may be on its way out, too, which opening it will tell.
  const isTmpDir = [tmpDir.made, tmpDir.opened, file].some((step) => step === error.step)
  if (error.errno === ENOENT && isTmpDir) return { ...plan, makeTmpDir: true }
  if (error.step === file && !plan.named && TMPFILE_REFUSED.has(error.errno)) {
    return namedPlan(volume, bucket, plan)
  }
  return undefined
}

/** False where the target's directory lies on another file system: a link would fail there. */
function isWellPlaced({ looks }: Opening): boolean {
  return looks?.parent === undefined || looks.parent.errno !== 0 || looks.parent.value.dev === looks.tmpDir.value.dev
}

function conflictOf({ looks }: Opening): S3Error | undefined {
  if (looks === undefined) return undefined
  const { parent, existing } = looks
  if (parent !== undefined && parent.errno === 0 && !isDirectory(parent.value)) return new S3Error('ObjectParentIsFile')
  return existing.errno === 0 && isDirectory(existing.value) ? new S3Error('ExistingObjectIsDirectory') : undefined
}

async function drop(volume: Volume, { subject, target }: TemporaryFileWanted, file: TemporaryFile, call: Call): Promise<void> {
  await closeFiles(volume, call.span, file.fd, file.tmpDir, file.bucket)
  if (file.name !== undefined) await removeTemporary(volume, subject.bucket, file.name, file.plan, target, call.span)
}
