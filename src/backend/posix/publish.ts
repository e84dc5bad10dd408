import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { IoError } from '../../io/io-error.ts'
import type { Chain, Fd, Step } from '../../io/io.ts'
import { preconditionFailed } from '../../s3/conditions.ts'
import { S3Error } from '../../s3/errors.ts'
import { ATTRIBUTE, type Attribute } from './attributes.ts'
import { failureOf } from './errors.ts'
import { isDirectory } from './file-types.ts'
import type { KeptTmpDir } from './kept-tmp-dirs.ts'
import { TMP_DIR } from './paths.ts'
import { NotPlain, addPlainLook, isNotPlain } from './protection.ts'
import type { BucketChain, Task } from './task.ts'
import type { TemporaryFile } from './temporary-file.ts'
import { OvertakenError, onTerms, type WriteTerms } from './terms.ts'
import {
  TMPFILE_REFUSED,
  isRemovedTmpDir,
  isUsual,
  namedPlan,
  openTmpDir,
  temporaryName,
  tmpDirPath,
  usualPlan,
  type Plan,
  type Target,
  type TmpDirSteps,
} from './tmp-dir.ts'

const {
  E2BIG,
  EALREADY,
  EEXIST,
  EISDIR,
  EMFILE,
  EMLINK,
  ENAMETOOLONG,
  ENOENT,
  ENOSPC,
  ENOSYS,
  ENOTEMPTY,
  EOPNOTSUPP,
  EPERM,
  ESTALE,
  EXDEV,
} = constants.errno

/** Span attributes. */
export type Facts = Record<string, string | number | boolean>

/** A file to be made whole and then seen under its name. */
export interface Publication {
  readonly target: Target
  /** What the file must hold in the end: nothing shorter or longer is ever published. */
  readonly size: number
  /** Set before the name is. Values may have holes for digests of the chain's own hash state. */
  readonly attributes: readonly Attribute[]
  /** Set if the file system has room for them. */
  readonly optionalAttributes?: readonly Attribute[]
  /** Adds the steps that put the bytes into a new temporary file. */
  readonly fill: (chain: Chain, file: Fd) => void
  /** A temporary file that holds the bytes already; then `fill` serves only where it has to be made anew. */
  readonly filled?: TemporaryFile | undefined
  /** The error a client is told, where a step that `fill` added failed. */
  readonly explain?: (error: IoError) => Error | undefined
  /** Of objects: what they may replace, and where. */
  readonly terms?: WriteTerms
  /** Of OpenTmpFile and LinkFile. */
  readonly facts: Facts
  readonly bulk?: boolean
}

const MAX_TRIES = 24

/**
 * Makes a file whole and gives it its name, in one chain, and tries again where that can help.
 *
 * Gives back the id of the version that it becomes, if it becomes one.
 *
 * Readers see the old object or the new one. Whatever fails, nothing is left: an O_TMPFILE goes with its descriptor, a
 * named temporary file is removed by the chain that made it, and directories made for it are pruned.
 */
export async function publish(task: Task, publication: Publication): Promise<string | undefined> {
  const { tmpDirs } = task.volume
  const { bucket } = task.subject
  let plan = publication.filled?.plan ?? usualPlan(task)
  for (let tries = 1; ; tries++) {
    const isFirst = tries === 1
    const isOpen = isFirst && publication.filled !== undefined
    const kept = isOpen || !isUsual(plan) ? undefined : tmpDirs.borrow(bucket)
    const attempt = new Attempt(task, publication, { plan, isFirst, kept })
    try {
      await attempt.chain.steps.run()
      if (attempt.openedTmpDir !== undefined) tmpDirs.keep(bucket, attempt.openedTmpDir)
      return publication.terms?.version?.id
    } catch (error) {
      if (kept !== undefined && attempt.mayBeOther(error)) tmpDirs.forget(bucket, kept)
      if (failureOf(error).errno === EMFILE) tmpDirs.forgetAll()
      const next = tries < MAX_TRIES ? attempt.otherPlan(error) : undefined
      if (next === undefined) throw await attempt.failure(error)
      // The same plan again: another request removed a directory in between, as DELETE prunes empty parents.
      if (next === plan) await sleep(Math.min(2 ** tries, 250) * Math.random())
      plan = next
    } finally {
      if (kept !== undefined) tmpDirs.giveBack(kept)
    }
  }
}

/** How one attempt is made. */
interface Way {
  readonly plan: Plan
  readonly isFirst: boolean
  /** Where the directory of temporary files is open already, the steps that open it are not needed. */
  readonly kept: KeptTmpDir | undefined
}

/** One chain that publishes, and what its failure means. Steps are undefined where the chain has no such step. */
class Attempt {
  readonly chain: BucketChain
  readonly #task: Task
  readonly #publication: Publication
  readonly #plan: Plan
  readonly #kept: KeptTmpDir | undefined
  readonly #tmpDir: TmpDirSteps | undefined
  readonly #file: Step<number> | undefined
  readonly #parent: Step<number> | undefined
  readonly #look: Step<void> | undefined
  readonly #link: Step<'linkat' | 'rename'>

  constructor(task: Task, publication: Publication, { plan, isFirst, kept }: Way) {
    this.#task = task
    this.#publication = publication
    this.#plan = plan
    this.#kept = kept
    const { durable } = task.volume
    const { target, filled } = publication
    const isSamePlan =
      filled?.plan.named === plan.named && filled.plan.besideTarget === plan.besideTarget
    const ready = isSamePlan ? filled : undefined
    // After a race everything is opened anew: the very bucket may be another one.
    const open = isFirst ? ready : undefined
    const isInBucket = target.makeParents && target.directory === ''
    const readable = durable && isInBucket
    this.chain = task.begin({ bulk: publication.bulk === true, readable, opened: open?.bucket })
    const { steps, bucket } = this.chain

    const given = open?.tmpDir ?? kept?.fd
    this.#tmpDir = given === undefined ? this.#openTmpDir() : undefined
    const tmpDir: Fd = given ?? this.#tmpDir?.opened ?? -1
    const upload = target.makeParents ? undefined : this.#openUploadDir()
    const name = ready === undefined ? (plan.named ? temporaryName() : undefined) : ready.name
    this.#file = ready === undefined ? this.#makeFile(tmpDir, name) : undefined
    const file: Fd = this.#file ?? ready?.fd ?? -1
    this.#describe(file)
    this.#parent = target.makeParents && !isInBucket ? this.#makeParents() : undefined
    const parent: Fd = upload ?? this.#parent ?? bucket
    const { terms, facts } = publication
    this.#look = terms?.onlyIfPlain === true ? addPlainLook(task, this.chain) : undefined
    const replace = terms?.version === undefined ? target.replace : !terms.version.overNothing
    const linking = { tmpDir, replace, onlyOver: terms?.onlyOver, attributes: facts, from: name }
    this.#link = this.chain.at('name', steps.linkFile(file, parent, target.name, linking))
    if (durable) steps.sync(parent, 'dir')
    if (plan.besideTarget)
      steps.remove(parent, TMP_DIR, { directory: true, tolerate: [ENOTEMPTY, EEXIST, ENOENT] })
  }

  /**
   * The directory a part goes to, by its name at the last moment: once a completion has claimed the upload it is gone. Of
   * a part that was written before, this open is no span, so that WriteData and LinkFile stay neighbours in the trace.
   */
  #openUploadDir(): Step<number> {
    const { steps, bucket } = this.chain
    const { durable, silent } = this.#task.volume
    const { target, filled } = this.#publication
    if (filled !== undefined) steps.under(silent)
    const dir = this.chain.at(
      'upload',
      steps.openDir(bucket, target.directory, { readable: durable }),
    )
    steps.under(this.#task.span)
    return dir
  }

  #openTmpDir(): TmpDirSteps {
    const plan = this.#plan
    const how = { make: plan.makeTmpDir || plan.besideTarget, keep: isUsual(plan) }
    return openTmpDir(this.chain, this.#task, tmpDirPath(plan, this.#publication.target), how)
  }

  #makeFile(tmpDir: Fd, name: string | undefined): Step<number> {
    const { target, size, facts, fill } = this.#publication
    const { span, subject } = this.#task
    const attributes = span.recording
      ? {
          'posix.dir': `${subject.bucket}/${tmpDirPath(this.#plan, target)}`,
          ...facts,
          'posix.size': size,
        }
      : undefined
    const { steps, bucket } = this.chain
    // Not through the kept directory: what is made takes after the one that is there now.
    const file =
      this.#kept === undefined
        ? steps.openTmpFile(tmpDir, { size, attributes, name })
        : steps.openTmpFile(bucket, { path: TMP_DIR, size, attributes })
    fill(steps, file)
    return file
  }

  /** Everything that an object carries is on its file, and on disk, before it has a name. */
  #describe(file: Fd): void {
    const { steps } = this.chain
    const { attributes, terms, optionalAttributes = [], size } = this.#publication
    steps.writeMetadata(file, terms === undefined ? attributes : onTerms(attributes, terms))
    steps.verifySize(file, size)
    const time = terms?.version?.time
    if (time !== undefined) steps.setModified(file, time)
    for (const attribute of optionalAttributes) {
      steps.writeMetadata(file, [attribute], { tolerate: [ENOSPC, E2BIG] })
    }
    const { owner, volume } = this.#task
    if (owner !== undefined) steps.setOwner(file, owner)
    if (volume.durable) steps.sync(file, 'file')
  }

  #makeParents(): Step<number> {
    const { volume, owner } = this.#task
    const { dirMode, durable } = volume
    const { steps, bucket } = this.chain
    const { directory } = this.#publication.target
    return this.chain.at(
      'parents',
      steps.makeParents(bucket, directory, {
        mode: dirMode,
        sync: durable,
        ...(owner && { owner }),
      }),
    )
  }

  /** To be kept open, or closed. */
  get openedTmpDir(): number | undefined {
    return isUsual(this.#plan) ? this.#tmpDir?.opened.value : undefined
  }

  /**
   * Whether the directory that was kept may be another one than the bucket has now: removed, or of a bucket that was put
   * aside, on another file system, read-only, given to somebody else, on a disk that failed.
   */
  mayBeOther(error: unknown): boolean {
    const { step, errno } = failureOf(error)
    if (step === undefined) return false
    if (step === this.#file) return GONE.has(errno)
    return step === this.#link && !OF_TARGET.has(errno)
  }

  /** What may work where this one failed; the same plan where it was a race; undefined where nothing will help. */
  otherPlan(error: unknown): Plan | undefined {
    const { step, errno } = failureOf(error)
    if (step === undefined) return undefined
    const plan = this.#plan
    if (this.#kept !== undefined && errno !== EXDEV && this.mayBeOther(error)) return plan
    if (errno === ENOENT) {
      const isMissing = step === this.#tmpDir?.opened && !plan.makeTmpDir && !plan.besideTarget
      if (isMissing) return { ...plan, makeTmpDir: true }
      // A directory was there, and was removed before the next step: an empty parent, `.sgwtmp`, the bucket itself.
      const racing = [
        this.#tmpDir?.made,
        this.#tmpDir?.opened,
        this.#file,
        this.#parent,
        this.#link,
      ]
      return this.#publication.target.makeParents && racing.some((raced) => raced === step)
        ? plan
        : undefined
    }
    if (step === this.#file && isRemovedTmpDir(errno, plan)) return { ...plan, makeTmpDir: true }
    const isLink = step === this.#link
    if (isLink && errno === EXDEV && !plan.besideTarget) return { ...plan, besideTarget: true }
    const isRefused = isLink
      ? LINK_REFUSED.has(errno)
      : step === this.#file && TMPFILE_REFUSED.has(errno)
    return isRefused && !plan.named ? namedPlan(this.#task, plan) : undefined
  }

  /** What a client is told, once nothing is left of the attempt. */
  async failure(error: unknown): Promise<unknown> {
    if (!(error instanceof IoError)) return error
    const { target, explain, terms } = this.#publication
    const isLink = error.step === this.#link
    if (isLink && error.errno === EEXIST && (await isTakenByDirectory(this.#task, target))) {
      return new S3Error('ExistingObjectIsDirectory', {}, { cause: error })
    }
    const mayHaveMade = error.step === this.#parent || this.#parent?.ran === true
    const isPlainless = isNotPlain(error, this.#look)
    if (target.makeParents && (isLink || isPlainless || mayHaveMade))
      await prune(this.#task, target)
    if (isPlainless) return new NotPlain()
    const isOvertaken = isLink && (error.errno === EALREADY || error.errno === EEXIST)
    if (isOvertaken && terms?.version !== undefined) return new OvertakenError()
    if (isLink && error.errno === EALREADY) return preconditionFailed('If-Match', error)
    return explain?.(error) ?? this.chain.toS3Error(error)
  }
}

/** Of making a file by the directory's path. */
const GONE = new Set([ENOENT, ESTALE, EXDEV])

/** What linking fails with for what has the name already, or for the name: whichever directory it came through. */
const OF_TARGET = new Set([EEXIST, EALREADY, EISDIR, ENOTEMPTY, ENAMETOOLONG])

/** File systems without hard links, and sandboxes that refuse linkat from /proc. */
const LINK_REFUSED = new Set([EPERM, EOPNOTSUPP, ENOSYS, EMLINK])

/** A name that exists is an object that exists, unless it is a directory's. */
async function isTakenByDirectory(task: Task, { directory, name }: Target): Promise<boolean> {
  const chain = task.begin()
  const stat = chain.steps.statAt(chain.bucket, directory === '' ? name : `${directory}/${name}`)
  return (await chain.attempt()) && isDirectory(stat.value)
}

/** Removes the directories that were made for a file that did not come to be. */
async function prune(task: Task, { directory }: Target): Promise<void> {
  // Nothing was made below a name that is too long.
  const components = directory.split('/')
  const tooLong = components.findIndex((component) => Buffer.byteLength(component) > 255)
  const path = (tooLong < 0 ? components : components.slice(0, tooLong)).join('/')
  if (path === '') return
  const chain = task.begin()
  chain.steps.pruneParents(chain.bucket, path, { stopAt: ATTRIBUTE.etag, sync: false })
  await chain.attempt()
}
