import type { DirEntries, FileStat } from '../../io/io.ts'
import { compareUtf8 } from '../../utf8-order.ts'
import { ATTRIBUTE } from './attributes.ts'
import { DT_DIR, DT_REG, entryName, isEntry, lowerBound, successor } from './packed-names.ts'
import { TMP_DIR, isPossiblePrefix } from './paths.ts'

/** A directory that a listing passes through. */
export interface ReadDirectory {
  readonly stat: FileStat
  readonly attributes: ReadonlyMap<string, Buffer>
  readonly entries: DirEntries
}

/** Reads directories of the bucket, named by their keys (`a/b/`, `''` for the bucket); undefined where there is none. */
export type DirectoryReader = (
  paths: readonly string[],
) => Promise<readonly (ReadDirectory | undefined)[]>

export type Found =
  | { readonly kind: 'file'; readonly key: string }
  | { readonly kind: 'directory'; readonly key: string; readonly directory: ReadDirectory }
  | { readonly kind: 'prefix'; readonly key: string }

export interface WalkPage {
  readonly prefix: string
  readonly delimiter: string
  readonly after: string
}

/** A directory on the way: entries `index` to `end - 1` are still to come. */
interface Frame {
  /** Ends in a slash; `''` is the bucket. */
  readonly path: string
  readonly entries: DirEntries
  index: number
  readonly end: number
  /** The subdirectory that `after` leads into, and what of `after` lies below it. */
  readonly markedIndex: number
  readonly markerBelow: Buffer | undefined
}

/** As many small neighbouring directories are read at once. */
const MAX_LOOKAHEAD = 8
/** A directory with more entries than this is not read before it is needed. */
const SMALL_DIRECTORY = 64

/**
 * Walks a bucket's tree in the order of its keys, from just after `after`.
 *
 * Entries are sorted within their directory as S3 sorts keys, so depth-first is the order of the listing. A marker is
 * found by binary search in each directory that it leads through, and so is the end of a group of keys that share a common
 * prefix: a page costs what it shows, not what it skips. Directories below a common prefix are not looked into, so one
 * without objects shows up as a prefix, as it does in VersityGW.
 */
export class Walk {
  readonly #read: DirectoryReader
  readonly #page: WalkPage
  readonly #limit: number
  readonly #found: Found[] = []
  readonly #stack: Frame[] = []
  readonly #ahead = new Map<string, ReadDirectory | undefined>()
  #lookahead = 1

  /** Looks for the first `limit` keys and common prefixes. */
  constructor(read: DirectoryReader, page: WalkPage, limit: number) {
    this.#read = read
    this.#page = page
    this.#limit = limit
  }

  async collect(): Promise<Found[]> {
    await this.#enterPrefix()
    while (this.#found.length < this.#limit) {
      const frame = this.#stack.at(-1)
      if (frame === undefined) break
      if (frame.index >= frame.end) {
        this.#stack.pop()
        continue
      }
      const reading = this.#take(frame, frame.index++)
      if (reading !== undefined) await reading
    }
    return this.#found
  }

  /** Begins in the directory that the prefix names, at the entries that continue it. */
  async #enterPrefix(): Promise<void> {
    const { prefix, after } = this.#page
    const path = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    const isWithin = after.startsWith(path)
    if (!isPossiblePrefix(path) || (!isWithin && compareUtf8(after, path) > 0)) return
    const [directory] = await this.#read([path])
    if (directory === undefined) return
    const isObject = path !== '' && path === prefix && directory.attributes.has(ATTRIBUTE.etag)
    if (isObject && !isWithin) this.#found.push({ kind: 'directory', key: path, directory })
    const rest = Buffer.from(prefix.slice(path.length))
    const marker = isWithin && after !== path ? Buffer.from(after.slice(path.length)) : undefined
    this.#stack.push(frameOf(path, directory.entries, marker, rest))
  }

  /** Only waits where a directory has to be read: a page of files is one synchronous run. */
  #take(frame: Frame, index: number): Promise<void> | undefined {
    const type = frame.entries.types[index]
    if (type !== DT_DIR && type !== DT_REG) return undefined
    const name = entryName(frame.entries, index)
    if (name === undefined || name === TMP_DIR) return undefined
    const key = type === DT_DIR ? `${frame.path}${name}/` : frame.path + name
    const prefix = this.#commonPrefix(key)
    if (prefix !== undefined) this.#addPrefix(frame, prefix)
    else if (type === DT_DIR) return this.#enter(frame, index, key)
    else this.#found.push({ kind: 'file', key })
    return undefined
  }

  async #enter(frame: Frame, index: number, path: string): Promise<void> {
    const directory = await this.#readAhead(frame, path)
    if (directory === undefined) return
    const isMarked = index === frame.markedIndex
    const isObject = directory.attributes.has(ATTRIBUTE.etag)
    if (isObject && !isMarked) this.#found.push({ kind: 'directory', key: path, directory })
    const marker = isMarked ? frame.markerBelow : undefined
    this.#stack.push(frameOf(path, directory.entries, marker, NOTHING))
  }

  #commonPrefix(key: string): string | undefined {
    const { prefix, delimiter } = this.#page
    if (delimiter === '') return undefined
    const at = key.indexOf(delimiter, prefix.length)
    return at < 0 ? undefined : key.slice(0, at + delimiter.length)
  }

  /**
   * Tells a common prefix once and goes on behind its keys. They all lie in `frame`: had the delimiter ended in the
   * frame's own path, the walk would not have entered it.
   */
  #addPrefix(frame: Frame, prefix: string): void {
    // A key behind the marker whose prefix is not behind it: the prefix was told on an earlier page.
    if (!this.#page.after.startsWith(prefix)) this.#found.push({ kind: 'prefix', key: prefix })
    const behind = successor(Buffer.from(prefix.slice(frame.path.length)))
    frame.index =
      behind === undefined ? frame.end : Math.max(frame.index, lowerBound(frame.entries, behind))
  }

  /** Reads a directory, and with it small neighbours: one job for several instead of one each. */
  async #readAhead(frame: Frame, path: string): Promise<ReadDirectory | undefined> {
    if (this.#ahead.has(path)) {
      const directory = this.#ahead.get(path)
      this.#ahead.delete(path)
      return directory
    }
    const paths = [path]
    const most = Math.min(this.#lookahead, this.#limit - this.#found.length)
    for (let i = frame.index; i < frame.end && paths.length < most; i++) {
      if (frame.entries.types[i] !== DT_DIR) continue
      const name = entryName(frame.entries, i)
      if (name === undefined || name === TMP_DIR) continue
      const next = `${frame.path}${name}/`
      if (this.#commonPrefix(next) !== undefined) break
      paths.push(next)
    }
    const directories = await this.#read(paths)
    const areSmall = directories.every(
      (directory) => directory === undefined || directory.entries.count <= SMALL_DIRECTORY,
    )
    this.#lookahead = areSmall ? Math.min(this.#lookahead * 2, MAX_LOOKAHEAD) : 1
    for (let i = 1; i < paths.length; i++) this.#ahead.set(paths[i] ?? '', directories[i])
    return directories[0]
  }
}

const NOTHING = Buffer.alloc(0)
const SLASH = 0x2f

/** A directory's entries that begin with `prefix` and lie behind `marker`; both are relative to the directory. */
function frameOf(
  path: string,
  entries: DirEntries,
  marker: Buffer | undefined,
  prefix: Buffer,
): Frame {
  let index = prefix.length === 0 ? 0 : lowerBound(entries, prefix)
  const behind = prefix.length === 0 ? undefined : successor(prefix)
  const end = behind === undefined ? entries.count : lowerBound(entries, behind)
  if (marker === undefined || marker.length === 0)
    return { path, entries, index, end, markedIndex: -1, markerBelow: undefined }

  const slash = marker.indexOf(SLASH)
  const component = slash < 0 ? marker : marker.subarray(0, slash + 1)
  const at = lowerBound(entries, component)
  const isThere = isEntry(entries, at, component)
  index = Math.max(index, isThere && slash < 0 ? at + 1 : at)
  if (!isThere || slash < 0)
    return { path, entries, index, end, markedIndex: -1, markerBelow: undefined }
  return { path, entries, index, end, markedIndex: at, markerBelow: marker.subarray(slash + 1) }
}
