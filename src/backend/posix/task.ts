import type { Chain, Fd, Owner, Step } from '../../io/io.ts'
import type { Span } from '../../trace/recorder.ts'
import type { Call } from '../backend.ts'
import { Places, type Place, type Subject } from './errors.ts'
import { bucketEntry } from './paths.ts'
import type { Volume } from './volume.ts'

/** One call to the backend: the volume it works on, the span it is told under, and what it is about. */
export class Task<S extends Subject = Subject> {
  readonly volume: Volume
  readonly span: Span
  readonly subject: S
  /** Of what it makes; undefined where that is the process. */
  readonly owner: Owner | undefined
  /** As its call has it. */
  mayBypass: Call['mayBypass']

  constructor(volume: Volume, span: Span, subject: S, owner?: Owner) {
    this.volume = volume
    this.span = span
    this.subject = subject
    this.owner = owner
    this.mayBypass = undefined
  }

  /** The same call, where it is about something else. */
  about<T extends Subject>(subject: T): Task<T> {
    const task = new Task(this.volume, this.span, subject, this.owner)
    task.mayBypass = this.mayBypass
    return task
  }

  /** The same call, of which nothing is recorded: the caller tells of it as a whole. */
  unseen(): Task<S> {
    const task = new Task(this.volume, this.volume.silent, this.subject, this.owner)
    task.mayBypass = this.mayBypass
    return task
  }

  /** A chain whose first step opens the bucket. */
  begin(options: BucketChainOptions = {}): BucketChain {
    return new BucketChain(this, options)
  }

  /** A chain on descriptors from before. */
  chain(options?: { bulk?: boolean; record?: boolean }): Chain {
    return this.volume.io.chain(this.span, options)
  }

  /** Closes descriptors that a chain left open. They are gone in any case, so nothing can fail. */
  async close(...fds: readonly number[]): Promise<void> {
    const chain = this.chain()
    for (const fd of fds) chain.close(fd)
    await chain.run().catch(() => undefined)
  }
}

export interface BucketChainOptions {
  readonly bulk?: boolean
  readonly record?: boolean
  /** The bucket's directory can be listed, synced, and its attributes read. */
  readonly readable?: boolean
  /** Its descriptor outlives the chain. */
  readonly keep?: boolean
  /** It is open already, since an earlier chain. */
  readonly opened?: number | undefined
}

/**
 * A chain in a bucket, which remembers what its steps are for, so that the one that fails becomes the right S3 error.
 *
 * The bucket may be a symbolic link; nothing below it may.
 */
export class BucketChain {
  readonly steps: Chain
  readonly bucket: Fd
  readonly #subject: Subject
  readonly #places = new Places()

  constructor({ volume, span, subject }: Task, options: BucketChainOptions) {
    const { bulk = false, record = true, readable = false, keep = false } = options
    this.#subject = subject
    this.steps = volume.io.chain(span, { bulk, record })
    const entry = bucketEntry(subject.bucket)
    const open = { followLast: true, readable, keep }
    this.bucket = options.opened ?? this.at('bucket', this.steps.openDir(volume.root, entry, open))
  }

  /** The bucket's descriptor, once the chain has run; only of use with `keep`. */
  get bucketFd(): number {
    return typeof this.bucket === 'number' ? this.bucket : this.bucket.value
  }

  /** Remembers what a step is for. */
  at<T>(place: Place, step: Step<T>): Step<T> {
    return this.#places.mark(place, step)
  }

  /** Runs the chain; throws what a client is told. */
  async run(): Promise<void> {
    try {
      await this.steps.run()
    } catch (error) {
      throw this.toS3Error(error)
    }
  }

  /** Runs a chain that tidies up: what it cannot do does not matter. */
  async attempt(): Promise<boolean> {
    return this.steps.run().then(
      () => true,
      () => false,
    )
  }

  toS3Error(error: unknown): unknown {
    return this.#places.toS3Error(error, this.#subject)
  }
}
