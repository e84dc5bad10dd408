import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import type { Chain, Fd, Step } from '../../io/io.ts'
import { Places } from './errors.ts'
import { TMP_DIR } from './paths.ts'
import { openBucket, type Volume } from './volume.ts'

const { EINVAL, EISDIR, ENOSYS, EOPNOTSUPP } = constants.errno

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

export function usualPlan(volume: Volume, bucket: string): Plan {
  const named = !volume.useTmpFile || volume.refusedTmpFile.has(bucket)
  return { named, besideTarget: false, makeTmpDir: false }
}

/** Remembers that this bucket's file system has no O_TMPFILE, or cannot link such a file. */
export function namedPlan(volume: Volume, bucket: string, plan: Plan): Plan {
  if (volume.refusedTmpFile.size > 10_000) volume.refusedTmpFile.clear()
  volume.refusedTmpFile.add(bucket)
  return { ...plan, named: true }
}

/** What O_TMPFILE is refused with. EISDIR and EINVAL: the flag is unknown, and a directory seen opened for writing. */
export const TMPFILE_REFUSED = new Set([EOPNOTSUPP, EISDIR, EINVAL, ENOSYS])

/** Of fixed length: a name derived from the key would be too long where the key's own is long. */
export function temporaryName(): string {
  return `tmp.${randomBytes(12).toString('hex')}`
}

/** Beneath the bucket. Hidden from listings wherever it is. */
export function tmpDirPath(plan: Plan, target: Target): string {
  return plan.besideTarget && target.directory !== '' ? `${target.directory}/${TMP_DIR}` : TMP_DIR
}

export function openTmpDir(
  chain: Chain,
  volume: Volume,
  bucket: Fd,
  plan: Plan,
  target: Target,
  places: Places,
  keep = false,
): TmpDirSteps {
  const path = tmpDirPath(plan, target)
  const isMade = plan.makeTmpDir || plan.besideTarget
  const made = isMade
    ? places.mark('parents', chain.makeParents(bucket, path, { mode: volume.dirMode, sync: false }))
    : undefined
  return { made, opened: chain.openDir(bucket, path, { keep }) }
}

export interface TmpDirSteps {
  readonly made: Step<number> | undefined
  readonly opened: Step<number>
}

/** Removes a temporary file's name, if it still has it. */
export async function removeTemporary(
  volume: Volume,
  bucket: string,
  name: string,
  plan: Plan,
  target: Target,
  span: Parameters<Volume['io']['chain']>[0],
): Promise<void> {
  const chain = volume.io.chain(span)
  const dir = chain.openDir(openBucket(chain, volume, bucket, new Places()), tmpDirPath(plan, target))
  chain.remove(dir, name, { tolerate: [constants.errno.ENOENT] })
  await chain.run().catch(() => undefined)
}
