import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { IoError } from '../../io/io-error.ts'
import type { Chain, Fd, Step } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Call } from '../backend.ts'
import { ATTRIBUTE, type Attribute } from './attributes.ts'
import { Places, type Subject } from './errors.ts'
import { isDirectory } from './file-types.ts'
import type { TemporaryFile } from './temporary-file.ts'
import {
  TMPFILE_REFUSED,
  namedPlan,
  openTmpDir,
  temporaryName,
  tmpDirPath,
  usualPlan,
  type Plan,
  type Target,
  type TmpDirSteps,
} from './tmp-dir.ts'
import { TMP_DIR } from './paths.ts'
import { openBucket, type Volume } from './volume.ts'

const { E2BIG, EEXIST, EMLINK, ENOENT, ENOSPC, ENOSYS, ENOTEMPTY, EOPNOTSUPP, EPERM, EXDEV } = constants.errno

/** Span attributes. */
export type Facts = Record<string, string | number | boolean>

/** A file to be made whole and then seen under its name. */
export interface Publication {
  readonly subject: Subject
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
  /** Of OpenTmpFile and LinkFile. */
  readonly facts: Facts
  readonly bulk?: boolean
}

/** The steps that decide what to do when one of them fails; undefined where a chain has no such step. */
interface Attempt {
  readonly chain: Chain
  readonly places: Places
  readonly tmpDir: TmpDirSteps | undefined
  readonly file: Step<number> | undefined
  readonly parent: Step<number> | undefined
  readonly link: Step<'linkat' | 'rename'>
}

const MAX_TRIES = 24

/**
 * Makes a file whole and gives it its name, in one chain, and tries again where that can help.
 *
 * Readers see the old object or the new one. Whatever fails, nothing is left: an O_TMPFILE goes with its descriptor, a
 * named temporary file is removed by the chain that made it, and directories made for it are pruned.
 */
export async function publish(volume: Volume, publication: Publication, call: Call): Promise<void> {
  let plan = publication.filled?.plan ?? usualPlan(volume, publication.subject.bucket)
  for (let tries = 1; ; tries++) {
    const attempt = prepare(volume, publication, plan, tries === 1, call)
    try {
      await attempt.chain.run()
      return
    } catch (error) {
      const next = tries < MAX_TRIES ? otherPlan(volume, publication, plan, attempt, error) : undefined
      if (next === undefined) throw await failure(volume, publication, attempt, error, call)
      // The same plan again: another request removed the directory in between, as DELETE prunes empty parents.
      if (next === plan) await sleep(Math.min(2 ** tries, 250) * Math.random())
      plan = next
    }
  }
}

function prepare(volume: Volume, publication: Publication, plan: Plan, isFirst: boolean, call: Call): Attempt {
  const { subject, target, size, facts, filled } = publication
  const places = new Places()
  const chain = volume.io.chain(call.span, { bulk: publication.bulk === true })
  const isInBucket = target.makeParents && target.directory === ''
  const isSamePlan = filled?.plan.named === plan.named && filled.plan.besideTarget === plan.besideTarget
  const ready = isSamePlan ? filled : undefined
  // After a race everything is opened anew: the very bucket may be another one.
  const open = isFirst ? ready : undefined
  const bucket: Fd = open?.bucket ?? openBucket(chain, volume, subject.bucket, places, { readable: volume.durable && isInBucket })
  const opening = open === undefined ? openTmpDir(chain, volume, bucket, plan, target, places) : undefined
  const tmpDir: Fd = open?.tmpDir ?? opening?.opened ?? -1
  const upload = target.makeParents ? undefined : openUploadDir(chain, volume, bucket, publication, places, call)

  const name = ready !== undefined ? ready.name : plan.named ? temporaryName() : undefined
  let made: Step<number> | undefined
  if (ready === undefined) {
    made = chain.openTmpFile(tmpDir, {
      size,
      attributes: { 'posix.dir': `${subject.bucket}/${tmpDirPath(plan, target)}`, ...facts, 'posix.size': size },
      ...(name === undefined ? {} : { name }),
    })
    publication.fill(chain, made)
  }
  const file: Fd = made ?? ready?.fd ?? -1
  chain.writeMetadata(file, publication.attributes)
  chain.verifySize(file, size)
  for (const attribute of publication.optionalAttributes ?? []) {
    chain.writeMetadata(file, [attribute], { tolerate: [ENOSPC, E2BIG] })
  }
  if (volume.durable) chain.sync(file, 'file')
  const parentMade = upload === undefined && !isInBucket ? openParent(chain, volume, bucket, target, places) : undefined
  const parent = upload ?? parentMade ?? bucket
  const from = name === undefined ? {} : { from: name }
  const link = places.mark(
    'name',
    chain.linkFile(file, parent, target.name, { tmpDir, replace: target.replace, attributes: facts, ...from }),
  )
  if (volume.durable) chain.sync(parent, 'dir')
  if (plan.besideTarget) chain.remove(parent, TMP_DIR, { directory: true, tolerate: [ENOTEMPTY, EEXIST, ENOENT] })
  return { chain, places, tmpDir: opening, file: made, parent: parentMade, link }
}

/**
 * The directory a part goes to, by its name at the last moment: once a completion has claimed the upload it is gone. Of a
 * part that was written before, this open is no span, so that WriteData and LinkFile stay neighbours in the trace.
 */
function openUploadDir(chain: Chain, volume: Volume, bucket: Fd, { target, filled }: Publication, places: Places, call: Call): Step<number> {
  if (filled !== undefined) chain.under(volume.silent)
  const dir = places.mark('upload', chain.openDir(bucket, target.directory, { readable: volume.durable }))
  chain.under(call.span)
  return dir
}

function openParent(chain: Chain, volume: Volume, bucket: Fd, target: Target, places: Places): Step<number> {
  const options = { mode: volume.dirMode, sync: volume.durable }
  return places.mark('parents', chain.makeParents(bucket, target.directory, options))
}

/** What may work where this plan failed; the same plan where it was a race; undefined where nothing will help. */
function otherPlan(
  volume: Volume,
  { target, subject }: Publication,
  plan: Plan,
  attempt: Attempt,
  error: unknown,
): Plan | undefined {
  if (!(error instanceof IoError) || error.step === undefined) return undefined
  const { errno, step } = error
  const { tmpDir, file, parent, link } = attempt
  if (errno === ENOENT) {
    if (step === tmpDir?.opened && !plan.makeTmpDir && !plan.besideTarget) return { ...plan, makeTmpDir: true }
    // A directory was there, and was removed before the next step: an empty parent, `.sgwtmp`, the bucket itself.
    const isRace = [tmpDir?.made, tmpDir?.opened, file, parent, link].some((raced) => raced === step)
    return isRace && target.makeParents ? plan : undefined
  }
  if (step === file && !plan.named && TMPFILE_REFUSED.has(errno)) return namedPlan(volume, subject.bucket, plan)
  if (step === link && errno === EXDEV && !plan.besideTarget) return { ...plan, besideTarget: true }
  if (step === link && !plan.named && LINK_REFUSED.has(errno)) return namedPlan(volume, subject.bucket, plan)
  return undefined
}

/** File systems without hard links, and sandboxes that refuse linkat from /proc. */
const LINK_REFUSED = new Set([EPERM, EOPNOTSUPP, ENOSYS, EMLINK])

async function failure(
  volume: Volume,
  publication: Publication,
  attempt: Attempt,
  error: unknown,
  call: Call,
): Promise<unknown> {
  if (!(error instanceof IoError)) return error
  const { subject, target, explain } = publication
  if (error.step === attempt.link && error.errno === EEXIST && (await isTakenByDirectory(volume, publication, call))) {
    return new S3Error('ExistingObjectIsDirectory', {}, { cause: error })
  }
  if (target.makeParents && (error.step === attempt.link || error.step === attempt.parent)) {
    await prune(volume, publication, call)
  }
  return explain?.(error) ?? attempt.places.toS3Error(error, subject)
}

/** A name that exists is an object that exists, unless it is a directory's. */
async function isTakenByDirectory(volume: Volume, { subject, target }: Publication, call: Call): Promise<boolean> {
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, subject.bucket, new Places())
  const stat = chain.statAt(bucket, target.directory === '' ? target.name : `${target.directory}/${target.name}`)
  return chain.run().then(
    () => isDirectory(stat.value),
    () => false,
  )
}

/** Removes the directories that were made for a file that did not come to be. */
async function prune(volume: Volume, { subject, target }: Publication, call: Call): Promise<void> {
  // Nothing was made below a name that is too long.
  const components = target.directory.split('/')
  const tooLong = components.findIndex((component) => Buffer.byteLength(component) > 255)
  const path = (tooLong < 0 ? components : components.slice(0, tooLong)).join('/')
  if (path === '') return
  const chain = volume.io.chain(call.span)
  const bucket = openBucket(chain, volume, subject.bucket, new Places())
  chain.pruneParents(bucket, path, { stopAt: ATTRIBUTE.etag, sync: false })
  await chain.run().catch(() => undefined)
}
