import type { Span } from '../trace/recorder.ts'
import { FLAG, OP, SMALL_DATA } from './arena.ts'
import { type AnyStep, ChainStep, type StepText } from './chain-step.ts'
import type { Dispatcher } from './dispatcher.ts'
import { hasherId, kindBit, kindBits, NativeHasher } from './hashers.ts'
import type {
  AttributeValue,
  BatchEntry,
  Chain,
  CopyMethod,
  CopyResult,
  DirEntries,
  Fd,
  FileStat,
  Hasher,
  HashKind,
  OpenFileOptions,
  OpenTmpFileOptions,
  LinkOptions,
  ReadRange,
  RemoveOptions,
  Options,
  Owner,
  Step,
  StepTimes,
  WriteOptions,
} from './io.ts'
import { methodFlags } from './result-reader.ts'
import { holesOf, nameBytes, nameList, pathList } from './text.ts'

const FILE_MODE = 0o644

/** Builds a chain; each method adds one step. What the steps mean is said in io.ts. */
export class NativeChain implements Chain {
  readonly #dispatcher: Dispatcher
  readonly #bulk: boolean
  readonly #syscalls: boolean
  readonly #steps: AnyStep[] = []
  #parent: Span | undefined
  #jobKinds = 0
  #hashers: NativeHasher[] | undefined
  #hasRun = false

  constructor(
    dispatcher: Dispatcher,
    parent: Span | undefined,
    options: { bulk: boolean; syscalls: boolean },
  ) {
    this.#dispatcher = dispatcher
    this.#parent = parent
    this.#bulk = options.bulk
    this.#syscalls = options.syscalls
  }

  #add<T>(
    op: number,
    fd: Fd | undefined,
    options: Options | undefined,
    text?: StepText,
  ): ChainStep<T> {
    const step = new ChainStep<T>(op, this.#steps.length, this.#parent, options)
    step.fd0 = fd
    step.text = text
    this.#steps.push(step)
    return step
  }

  #withNumbers(op: number, fd: Fd, a: number, b: number): Step<void> {
    const step = this.#add<void>(op, fd, undefined)
    step.a = a
    step.b = b
    return step
  }

  openDir(
    dir: Fd,
    path: string,
    options: Options & { readable?: boolean; keep?: boolean; followLast?: boolean } = {},
  ): Step<number> {
    const step = this.#add<number>(OP.open, dir, options, path)
    step.flags =
      FLAG.directory |
      (options.readable === true ? 0 : FLAG.path) |
      (options.keep === true ? FLAG.keep : 0) |
      (options.followLast === true ? FLAG.followLast : 0)
    return step
  }

  openFile(dir: Fd, path: string, options: OpenFileOptions = {}): Step<number> {
    const step = this.#add<number>(OP.open, dir, options, path)
    step.flags =
      (options.keep === true ? FLAG.keep : 0) |
      (options.write === true ? FLAG.write : 0) |
      (options.create === undefined ? 0 : FLAG.create) |
      (options.followLast === true ? FLAG.followLast : 0)
    step.mode = options.create ?? 0
    return step
  }

  stat(fd: Fd, options?: Options): Step<FileStat> {
    return this.#add(OP.stat, fd, options)
  }

  statAt(dir: Fd, path: string, options?: Options): Step<FileStat> {
    return this.#add(OP.statAt, dir, options, path)
  }

  readMetadata(
    fd: Fd,
    names?: readonly string[],
    options?: Options,
  ): Step<ReadonlyMap<string, Buffer>> {
    const step = this.#add<ReadonlyMap<string, Buffer>>(
      OP.readAttributes,
      fd,
      options,
      names && nameList(names),
    )
    step.wanted = names
    return step
  }

  writeMetadata(
    fd: Fd,
    attributes: Iterable<readonly [name: string, value: AttributeValue]>,
    options?: Options & { removed?: readonly string[] },
  ): Step<void> {
    const entries = Array.isArray(attributes)
      ? (attributes as (readonly [string, AttributeValue])[])
      : [...attributes]
    for (const [, value] of entries)
      for (const { hasher, kind } of holesOf(value)) this.#uses(hasher, [kind])
    return this.#add(OP.writeAttributes, fd, options, { removed: options?.removed ?? [], entries })
  }

  readData(file: Fd, range: ReadRange, options?: Options): Step<Buffer> {
    const step = this.#add<Buffer>(OP.read, file, options)
    if (range.direct === true) step.flags = FLAG.direct
    step.a = range.offset
    step.b = range.length
    if (range.length > SMALL_DATA) {
      const to = Buffer.allocUnsafeSlow(range.length)
      step.wanted = to
      step.pieces = [to]
    }
    return step
  }

  readWhole(
    file: Step<number>,
    options: Options & { wholeIfAtMost: number },
  ): Step<Buffer | undefined> {
    const step = this.#add<Buffer | undefined>(OP.readWhole, file, options)
    step.a = options.wholeIfAtMost
    return step
  }

  openTmpFile(dir: Fd, options: OpenTmpFileOptions): Step<number> {
    const step = this.#add<number>(OP.openTmp, dir, options, options.name)
    step.text2 = options.path
    step.flags =
      (options.keep === true ? FLAG.keep : 0) |
      (options.preallocate === true ? FLAG.preallocate : 0)
    step.mode = FILE_MODE
    step.a = options.size
    return step
  }

  writeData(file: Fd, pieces: readonly Uint8Array[], options: WriteOptions = {}): Step<number> {
    const step = this.#add<number>(OP.write, file, options)
    if (options.direct === true) step.flags = FLAG.direct
    step.pieces = pieces
    step.a = options.offset ?? 0
    if (options.hasher !== undefined) step.hasher = this.#uses(options.hasher, options.kinds)
    return step
  }

  hash(
    pieces: readonly Uint8Array[],
    hasher: Hasher | 'job',
    kinds?: readonly HashKind[],
  ): Step<void> {
    const step = this.#add<void>(OP.hash, undefined, undefined)
    step.pieces = pieces
    step.hasher = this.#uses(hasher, kinds)
    return step
  }

  digest(hasher: Hasher | 'job', kind: HashKind): Step<Buffer> {
    const step = this.#add<Buffer>(OP.digest, undefined, undefined)
    step.hasher = this.#uses(hasher, [kind])
    step.mode = kindBit(kind)
    return step
  }

  verifyDigest(hasher: Hasher | 'job', kind: HashKind, expected: Uint8Array): Step<Buffer> {
    const step = this.#add<Buffer>(OP.verifyDigest, undefined, undefined, expected)
    step.hasher = this.#uses(hasher, [kind])
    step.mode = kindBit(kind)
    return step
  }

  verifySize(file: Fd, size: number): Step<void> {
    return this.#withNumbers(OP.verifySize, file, size, 0)
  }

  verifyFile(
    file: Fd,
    expected: { regular: boolean; has: readonly string[]; lacks: readonly string[] },
  ): Step<void> {
    const step = this.#add<void>(OP.verifyFile, file, undefined, nameList(expected.has))
    step.text2 = nameList(expected.lacks)
    step.flags = expected.regular ? FLAG.regular : 0
    return step
  }

  makeParents(
    dir: Fd,
    path: string,
    options: Options & { mode: number; sync: boolean; owner?: Owner },
  ): Step<number> {
    const step = this.#add<number>(OP.makeParents, dir, options, path)
    step.mode = options.mode
    step.flags = (options.sync ? FLAG.sync : 0) | (options.owner === undefined ? 0 : FLAG.owner)
    step.a = options.owner?.uid ?? 0
    step.b = options.owner?.gid ?? 0
    return step
  }

  linkFile(file: Fd, dir: Fd, name: string, options: LinkOptions): Step<'linkat' | 'rename'> {
    const step = this.#add<'linkat' | 'rename'>(OP.link, file, options, name)
    step.fd1 = dir
    step.fd2 = options.tmpDir
    step.text2 = options.from
    const { onlyOver } = options
    step.flags = (options.replace ? FLAG.replace : 0) | (onlyOver === undefined ? 0 : FLAG.onlyOver)
    step.a = onlyOver?.ino ?? 0
    step.b = onlyOver?.dev ?? 0
    return step
  }

  makeDir(dir: Fd, name: string, options: Options & { mode: number }): Step<void> {
    const step = this.#add<void>(OP.makeDir, dir, options, name)
    step.mode = options.mode
    return step
  }

  // oxlint-disable-next-line max-params -- as the system call has them
  rename(
    fromDir: Fd,
    from: string,
    toDir: Fd,
    to: string,
    options?: Options & { noReplace?: boolean },
  ): Step<void> {
    const step = this.#add<void>(OP.rename, fromDir, options, from)
    step.fd1 = toDir
    step.text2 = to
    step.flags = options?.noReplace === true ? FLAG.noReplace : 0
    return step
  }

  remove(dir: Fd, name: string, options?: RemoveOptions): Step<void> {
    const step = this.#add<void>(OP.remove, dir, options, name)
    step.flags = options?.directory === true ? FLAG.removeDirectory : 0
    if (options?.only !== undefined) step.removeOnly(options.only)
    return step
  }

  removeTree(dir: Fd, name: string, options?: Options): Step<number> {
    return this.#add(OP.removeTree, dir, options, name)
  }

  pruneParents(
    dir: Fd,
    path: string,
    options: Options & { stopAt: string; sync: boolean },
  ): Step<number> {
    const step = this.#add<number>(OP.prune, dir, options, path)
    step.text2 = nameBytes(options.stopAt)
    step.flags = options.sync ? FLAG.sync : 0
    return step
  }

  sync(fd: Fd, target: 'file' | 'dir', options?: Options): Step<void> {
    const step = this.#add<void>(OP.sync, fd, options)
    step.flags = target === 'dir' ? FLAG.directory : 0
    return step
  }

  listDir(dir: Fd, options?: Options): Step<DirEntries> {
    return this.#add(OP.list, dir, options)
  }

  statBatch(
    dir: Fd,
    paths: readonly (string | Uint8Array)[],
    names: readonly string[],
    options?: Options,
  ): Step<BatchEntry[]> {
    const step = this.#add<BatchEntry[]>(OP.statBatch, dir, options, pathList(paths))
    step.text2 = nameList(names)
    step.wanted = names
    step.b = paths.length
    return step
  }

  // oxlint-disable-next-line max-params -- as the system call has them
  copyRange(
    from: Fd,
    fromOffset: number,
    to: Fd,
    toOffset: number,
    length: number,
    options: Options & { methods: readonly CopyMethod[]; hasher?: Hasher },
  ): Step<CopyResult> {
    const step = this.#add<CopyResult>(OP.copy, from, options)
    step.fd1 = to
    step.a = fromOffset
    step.b = toOffset
    step.c = length
    step.flags = methodFlags(options.methods)
    if (options.hasher !== undefined) step.hasher = this.#uses(options.hasher, undefined)
    return step
  }

  startWriteback(file: Fd, offset: number, length: number): Step<void> {
    return this.#withNumbers(OP.writeback, file, offset, length)
  }

  lock(
    dir: Fd,
    name: string,
    options: Options & { exclusive: boolean; timeoutMs: number; keep?: boolean },
  ): Step<number> {
    const step = this.#add<number>(OP.lock, dir, options, name)
    step.flags = (options.keep === true ? FLAG.keep : 0) | (options.exclusive ? FLAG.exclusive : 0)
    step.a = options.timeoutMs
    return step
  }

  truncate(file: Fd, size: number): Step<void> {
    return this.#withNumbers(OP.truncate, file, size, 0)
  }

  setModified(file: Fd, at: Pick<FileStat, 'mtimeSec' | 'mtimeNsec'>): Step<void> {
    return this.#withNumbers(OP.times, file, at.mtimeSec, at.mtimeNsec)
  }

  setOwner(fd: Fd, { uid, gid }: Owner): Step<void> {
    return this.#withNumbers(OP.owner, fd, uid, gid)
  }

  close(fd: number): Step<void> {
    return this.#add(OP.close, fd, undefined)
  }

  under(span: Span): this {
    if (this.#parent !== undefined) this.#parent = span
    return this
  }

  run(): Promise<void> {
    if (this.#hasRun) throw new Error('a chain runs once')
    this.#hasRun = true
    if (this.#steps.length === 0) return Promise.resolve()
    const hashers = this.#hashers
    if (hashers !== undefined) for (const hasher of hashers) hasher.use()
    return this.#dispatcher.run({
      steps: this.#steps,
      bulk: this.#bulk,
      jobKinds: this.#jobKinds,
      syscalls: this.#syscalls,
      released: hashers && (() => hashers.forEach((hasher) => hasher.unuse())),
    })
  }

  times(step: Step<unknown>): StepTimes {
    if (!(step instanceof ChainStep)) throw new TypeError('not a step of a chain')
    const { startNs, endNs, queueNs, ioNs, hashNs, syscalls } = step
    return { startNs, endNs, queueNs, ioNs, hashNs, syscalls }
  }

  /** Notes what has to be computed or kept for a step that uses a hash state; gives back its id. */
  #uses(hasher: Hasher | 'job', kinds: readonly HashKind[] | undefined): number {
    if (hasher === 'job') {
      if (kinds !== undefined) this.#jobKinds |= kindBits(kinds)
    } else if (hasher instanceof NativeHasher && this.#hashers?.includes(hasher) !== true) {
      ;(this.#hashers ??= []).push(hasher)
    }
    return hasherId(hasher)
  }
}
