import { FLAG } from './arena.ts'
import { ChainStep } from './chain-step.ts'
import { NativeChain } from './chain.ts'
import type {
  AttributeValue,
  BatchEntry,
  Chain,
  Fd,
  LinkOptions,
  OpenFileOptions,
  Options,
  Owner,
  RemoveOptions,
  Step,
} from './io.ts'
import type { Places } from './places.ts'

type Attribute = readonly [name: string, value: AttributeValue]

/**
 * A chain whose files have their attributes in a sidecar directory.
 *
 * Whoever builds it sees no difference: it follows the paths by which descriptors were opened, and tells each step that
 * concerns attributes where they lie (native/sidecar.h). Those of a file without a name are held back until it gets one.
 * What was opened by other means than paths beneath a root, such as the account store, has its attributes as ever.
 */
export class SidecarChain extends NativeChain {
  readonly #places: Places
  readonly #paths = new Map<Step<unknown>, string>()
  /** How files were opened. */
  readonly #openings = new Map<Fd, { readonly dir: Fd; readonly path: string }>()
  readonly #kept: Step<number>[] = []
  /** What is to be written once its file's name is known. */
  readonly #unnamed = new Map<Fd, Map<string, AttributeValue>>()

  constructor(places: Places, ...rest: ConstructorParameters<typeof NativeChain>) {
    super(...rest)
    this.#places = places
  }

  override openDir(
    dir: Fd,
    path: string,
    options: Parameters<Chain['openDir']>[2] = {},
  ): Step<number> {
    return this.#opened(super.openDir(dir, path, options), this.#beneath(dir, path), options.keep)
  }

  override openFile(dir: Fd, path: string, options: OpenFileOptions = {}): Step<number> {
    const step = super.openFile(dir, path, options)
    this.#openings.set(step, { dir, path })
    return this.#opened(step, this.#beneath(dir, path), options.keep)
  }

  override makeParents(
    dir: Fd,
    path: string,
    options: Options & { mode: number; sync: boolean; owner?: Owner },
  ): Step<number> {
    return this.#opened(super.makeParents(dir, path, options), this.#beneath(dir, path), false)
  }

  override openTmpFile(dir: Fd, options: Parameters<Chain['openTmpFile']>[1]): Step<number> {
    return this.#opened(super.openTmpFile(dir, options), undefined, options.keep)
  }

  /** A large file stays open though nobody asked for it. */
  override readWhole(
    file: Step<number>,
    options: Options & { wholeIfAtMost: number },
  ): Step<Buffer | undefined> {
    this.#kept.push(file)
    return super.readWhole(file, options)
  }

  override readMetadata(
    fd: Fd,
    names?: readonly string[],
    options?: Options,
  ): Step<ReadonlyMap<string, Buffer>> {
    const step = super.readMetadata(fd, names, options)
    const path = this.#path(fd)
    const opening = this.#openings.get(fd)
    this.#locate(step, [path])
    if (opening === undefined || path === undefined || !(step instanceof ChainStep)) return step
    step.fd1 = opening.dir
    step.pieces = [this.#places.encode([path], opening.path)]
    return step
  }

  override writeMetadata(
    fd: Fd,
    attributes: Iterable<Attribute>,
    options?: Options & { removed?: readonly string[] },
  ): Step<void> {
    const path = this.#path(fd)
    if (path !== undefined) {
      const step = this.#locate(super.writeMetadata(fd, attributes, options), [path])
      return this.#flag(step, 0)
    }
    let held = this.#unnamed.get(fd)
    if (held === undefined) this.#unnamed.set(fd, (held = new Map()))
    for (const [name, value] of attributes) held.set(name, value)
    return DONE
  }

  override verifyFile(file: Fd, expected: Parameters<Chain['verifyFile']>[1]): Step<void> {
    return this.#locate(super.verifyFile(file, expected), [this.#path(file)])
  }

  override linkFile(
    file: Fd,
    dir: Fd,
    name: string,
    options: LinkOptions,
  ): Step<'linkat' | 'rename'> {
    const path = this.#beneath(dir, name)
    const held = this.#unnamed.get(file) ?? []
    this.#unnamed.delete(file)
    const other = this.#path(file)
    if (path !== undefined) {
      const step = super.writeMetadata(file, [...held])
      this.#locate(step, other === undefined ? [path] : [path, other])
      this.#flag(step, other === undefined ? FLAG.pending : FLAG.pending | FLAG.copyValues)
    }
    return super.linkFile(file, dir, name, options)
  }

  // oxlint-disable-next-line max-params -- as the system call has them
  override rename(
    fromDir: Fd,
    from: string,
    toDir: Fd,
    to: string,
    options?: Options & { noReplace?: boolean },
  ): Step<void> {
    const paths = [this.#beneath(fromDir, from), this.#beneath(toDir, to)]
    return this.#locate(super.rename(fromDir, from, toDir, to, options), paths)
  }

  override remove(dir: Fd, name: string, options?: RemoveOptions): Step<void> {
    return this.#locate(super.remove(dir, name, options), [this.#beneath(dir, name)])
  }

  override removeTree(dir: Fd, name: string, options?: Options): Step<number> {
    return this.#locate(super.removeTree(dir, name, options), [this.#beneath(dir, name)])
  }

  override pruneParents(
    dir: Fd,
    path: string,
    options: Options & { stopAt: string; sync: boolean },
  ): Step<number> {
    const step = super.pruneParents(dir, path, options)
    const paths: (string | undefined)[] = []
    for (let at = path; at !== ''; at = at.slice(0, Math.max(at.lastIndexOf('/'), 0)))
      paths.push(this.#beneath(dir, at))
    return this.#locate(step, paths)
  }

  override statBatch(
    dir: Fd,
    paths: readonly (string | Uint8Array)[],
    names: readonly string[],
    options?: Options,
  ): Step<BatchEntry[]> {
    const step = super.statBatch(dir, paths, names, options)
    const texts = paths.map((path) =>
      typeof path === 'string' ? path : Buffer.from(path).toString(),
    )
    return names.length === 0
      ? step
      : this.#locate(
          step,
          texts.map((path) => this.#beneath(dir, path)),
        )
  }

  override close(fd: number): Step<void> {
    this.#places.set(fd, undefined)
    return super.close(fd)
  }

  override async run(): Promise<void> {
    if (this.#unnamed.size > 0) throw new Error('attributes of a file that gets no name')
    await super.run()
    for (const step of this.#kept)
      if (step.ran && step.errno === 0) this.#places.set(step.value, this.#paths.get(step))
  }

  #opened(step: Step<number>, path: string | undefined, keep = false): Step<number> {
    if (path !== undefined) this.#paths.set(step, path)
    if (keep) this.#kept.push(step)
    return step
  }

  #path(fd: Fd): string | undefined {
    return typeof fd === 'number' ? this.#places.path(fd) : this.#paths.get(fd)
  }

  #beneath(dir: Fd, path: string): string | undefined {
    const above = this.#path(dir)
    if (above === undefined || above === '' || path === '') return above === '' ? path : above
    return `${above}/${path}`
  }

  /** Tells a step where attributes lie, if all of that is known. */
  #locate<T>(step: Step<T>, paths: readonly (string | undefined)[]): Step<T> {
    const known = paths.filter((path) => path !== undefined)
    if (!(step instanceof ChainStep) || known.length === 0 || known.length < paths.length)
      return step
    step.fd2 = this.#places.directory
    step.pieces = [this.#places.encode(known)]
    return step
  }

  #flag<T>(step: Step<T>, flags: number): Step<T> {
    if (step instanceof ChainStep)
      step.flags |= flags | (this.#places.durable ? FLAG.syncValues : 0)
    return step
  }
}

/** Of what another step does. */
const DONE: Step<void> = { value: undefined, errno: 0, ran: true }
