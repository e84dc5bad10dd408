import { constants } from 'node:os'
import type { BatchEntry, DirEntries } from '../../../io/io.ts'
import { SPAN } from '../../../trace/names.ts'
import type { ListedVersion } from '../../version-listing.ts'
import { ATTRIBUTE } from '../attributes.ts'
import { isRegular } from '../file-types.ts'
import { LISTED_ATTRIBUTES, listed } from '../listing.ts'
import { bucketEntry } from '../paths.ts'
import type { Task } from '../task.ts'
import { NULL_VERSION, versionIdOf, versionsOfKey } from './layout.ts'
import { hasNullVersion, orderVersions, type FoundVersions } from './order-versions.ts'

const { ENOENT, ENOTDIR } = constants.errno
const ABSENT = [ENOENT, ENOTDIR]

const ATTRIBUTES = [...LISTED_ATTRIBUTES, ATTRIBUTE.versionId]

/** Reads the versions of keys, for one listing. */
export class VersionReader {
  readonly #task: Task
  /** The bucket's directory of superseded versions; undefined where there is none. */
  readonly #superseded: number | undefined

  private constructor(task: Task, superseded: number | undefined) {
    this.#task = task
    this.#superseded = superseded
  }

  /** To be closed. */
  static async open(task: Task): Promise<VersionReader> {
    const { versions } = task.volume
    if (versions === undefined) return new VersionReader(task, undefined)
    const chain = task.chain()
    const name = bucketEntry(task.subject.bucket)
    const opened = chain.openDir(versions.root, name, { keep: true, tolerate: ABSENT })
    await chain.run()
    return new VersionReader(task, opened.errno === 0 ? opened.value : undefined)
  }

  async close(): Promise<void> {
    if (this.#superseded !== undefined) await this.#task.close(this.#superseded)
  }

  /**
   * Of each key its versions, the newest first, at most `limit` of them, and only those behind the version `after`.
   *
   * The file under the key is looked at before the others: one that is superseded meanwhile is found twice rather than not
   * at all, and told once.
   */
  async read(
    keys: readonly string[],
    limit: number,
    after?: string,
  ): Promise<readonly (readonly ListedVersion[])[]> {
    if (keys.length === 0) return []
    const files = await this.#statCurrent(keys)
    const found = await this.#findAll(keys, files)
    const ids = found.map((versions) => orderVersions(versions, limit, after))
    const paths = keys.flatMap((key, i) => {
      const older = (ids[i] ?? []).filter((id) => id !== found[i]?.current?.id)
      return older.map((id) => `${versionsOfKey(key)}/${id}`)
    })
    const olderFiles = (await this.#statSuperseded(paths)).values()
    const { defaultEtag } = this.#task.volume
    return keys.map((key, i) =>
      (ids[i] ?? []).flatMap((id): readonly ListedVersion[] => {
        const isLatest = id === found[i]?.current?.id
        const file = isLatest ? files[i] : olderFiles.next().value
        // Else it has been deleted since its directory was read.
        return isFile(file) ? [listedVersion({ key, id, isLatest }, file, defaultEtag)] : []
      }),
    )
  }

  async #statCurrent(keys: readonly string[]): Promise<readonly BatchEntry[]> {
    const chain = this.#task.begin()
    const batch = chain.steps.statBatch(chain.bucket, keys, ATTRIBUTES)
    await chain.run()
    return batch.value
  }

  async #statSuperseded(paths: readonly string[]): Promise<readonly BatchEntry[]> {
    if (this.#superseded === undefined || paths.length === 0) return []
    const chain = this.#task.chain()
    const batch = chain.statBatch(this.#superseded, paths, ATTRIBUTES)
    await chain.run()
    return batch.value
  }

  async #findAll(
    keys: readonly string[],
    files: readonly BatchEntry[],
  ): Promise<readonly FoundVersions[]> {
    const directories = await this.#listSuperseded(keys)
    const withNull = keys.filter((_, i) => {
      const entries = directories[i]
      return entries !== undefined && hasNullVersion(entries)
    })
    const paths = withNull.map((key) => `${versionsOfKey(key)}/${NULL_VERSION}`)
    const nulls = await this.#statSuperseded(paths)
    const madeAtMs = new Map(withNull.map((key, i) => [key, madeAtMsOf(nulls[i])]))
    return keys.map((key, i): FoundVersions => {
      const file = files[i]
      const current = isFile(file)
        ? { id: versionIdOf(file.attributes), mtimeMs: file.stat.mtimeMs }
        : undefined
      return { current, superseded: directories[i], nullMadeAtMs: madeAtMs.get(key) }
    })
  }

  /** Undefined for keys that never had another version. */
  async #listSuperseded(keys: readonly string[]): Promise<readonly (DirEntries | undefined)[]> {
    const superseded = this.#superseded
    if (superseded === undefined) return []
    const { span, volume } = this.#task
    const fold = volume.folds.next(span, SPAN.listDir, keys.length)
    const chain = this.#task.chain({ record: fold === undefined })
    const readings = keys.map((key) => {
      const path = versionsOfKey(key)
      const dir = chain.openDir(superseded, path, { readable: true, tolerate: ABSENT })
      return { dir, entries: chain.listDir(dir, { attributes: { 'posix.dir': path } }) }
    })
    await chain.run()
    return readings.map(({ dir, entries }) => {
      fold?.add(chain.times(dir.errno === 0 ? entries : dir))
      return dir.errno === 0 ? entries.value : undefined
    })
  }
}

function isFile(entry: BatchEntry | undefined): entry is BatchEntry {
  return entry?.errno === 0 && isRegular(entry.stat)
}

function madeAtMsOf(entry: BatchEntry | undefined): number | undefined {
  return isFile(entry) ? entry.stat.mtimeMs : undefined
}

interface Which {
  readonly key: string
  readonly id: string
  readonly isLatest: boolean
}

function listedVersion(
  { key, id, isLatest }: Which,
  file: BatchEntry,
  defaultEtag: string,
): ListedVersion {
  return {
    ...listed(key, file, defaultEtag),
    versionId: id,
    isLatest,
    isDeleteMarker: file.attributes.has(ATTRIBUTE.deleteMarker),
    lastModifiedNsec: file.stat.mtimeNsec,
  }
}
