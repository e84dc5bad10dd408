import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import type { Step } from '../../io/io.ts'
import { TMP_DIR } from './paths.ts'
import type { BucketChain, Task } from './task.ts'

const { EINVAL, EISDIR, ENOENT, ENOSYS, EOPNOTSUPP, EPERM } = constants.errno

/** Where a finished file goes. */
export interface Target {
  /** Beneath the bucket; `''` is the bucket itself. */
  readonly directory: string
  readonly name: string
  /** Missing directories are made; otherwise the directory is an upload's, which must be there. */
  readonly makeParents: boolean
  /** Without it an existing name is PreconditionFailed. */
  readonly replace: boolean
}

/** How a temporary file is made. What a file system refuses changes the plan. */
export interface Plan {
  /** It has a name of its own: no O_TMPFILE, or no way to give such a file a name. */
  readonly named: boolean
  /** It lies in the target's directory, which is on another file system than the bucket. */
  readonly besideTarget: boolean
  /** `.sgwtmp` is not there yet. */
  readonly makeTmpDir: boolean
}

export function usualPlan({ volume, subject }: Task): Plan {
  const named = !volume.useTmpFile || volume.refusedTmpFile.has(subject.bucket)
  return { named, besideTarget: false, makeTmpDir: false }
}

export function isUsual({ named, besideTarget, makeTmpDir }: Plan): boolean {
  return !named && !besideTarget && !makeTmpDir
}

/** Remembers that this bucket's file system has no O_TMPFILE, or cannot link such a file. */
export function namedPlan({ volume, subject }: Task, plan: Plan): Plan {
  if (volume.refusedTmpFile.size > 10_000) volume.refusedTmpFile.clear()
  volume.refusedTmpFile.add(subject.bucket)
  return { ...plan, named: true }
}

/** What O_TMPFILE is refused with. EISDIR and EINVAL: the flag is unknown, and a directory seen opened for writing. */
export const TMPFILE_REFUSED = new Set([EOPNOTSUPP, EISDIR, EINVAL, ENOSYS])

/**
 * Whether `.sgwtmp` may be there no longer, as when the bucket is being deleted. EPERM is what ext4 answers to O_TMPFILE in a
 * directory that is removed at that moment; where it is an immutable one's, it comes again once the directory has been made.
 */
export function isRemovedTmpDir(errno: number, plan: Plan): boolean {
  return errno === ENOENT || (errno === EPERM && !plan.named && !plan.makeTmpDir)
}

/** Of fixed length: a name derived from the key would be too long where the key's own is long. */
export function temporaryName(): string {
  return `tmp.${randomBytes(12).toString('hex')}`
}

/** Beneath the bucket. Hidden from listings wherever it is. */
export function tmpDirPath(plan: Plan, target: Target): string {
  return plan.besideTarget && target.directory !== '' ? `${target.directory}/${TMP_DIR}` : TMP_DIR
}

export interface TmpDirSteps {
  readonly made: Step<number> | undefined
  readonly opened: Step<number>
}

/** The steps that open the directory of temporary files, making it first where it may not be there. */
export function openTmpDir(
  chain: BucketChain,
  task: Task,
  path: string,
  options: { readonly make: boolean; readonly keep?: boolean },
): TmpDirSteps {
  const { make, keep = false } = options
  task.volume.sweeper.note(task.subject.bucket, path)
  const { steps, bucket } = chain
  // In the durable mode synced like any other directory: what is made in it, or beside it, relies on that.
  const how = { mode: task.volume.dirMode, sync: task.volume.durable }
  const made = make ? chain.at('parents', steps.makeParents(bucket, path, how)) : undefined
  return { made, opened: steps.openDir(bucket, path, { keep, expected: MISSING }) }
}

/** A bucket gets its `.sgwtmp` with the first object. */
const MISSING = [ENOENT]

/** Removes a temporary file's name, if it still has it. */
export async function removeTemporary(task: Task, directory: string, name: string): Promise<void> {
  const chain = task.begin()
  const dir = chain.steps.openDir(chain.bucket, directory)
  chain.steps.remove(dir, name, { tolerate: [ENOENT] })
  await chain.attempt()
}
