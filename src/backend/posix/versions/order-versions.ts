import type { DirEntries } from '../../../io/io.ts'
import { DT_REG, entryName, isEntry, lowerBound } from '../packed-names.ts'
import { NULL_VERSION, isVersionName } from './layout.ts'
import { compareVersions, type DatedVersion } from './version-id.ts'

/** Where the versions of a key are. */
export interface FoundVersions {
  /** The file under the key, if there is one. */
  readonly current: DatedVersion | undefined
  /** The directory of superseded ones, sorted by name: so the newest are at its end. */
  readonly superseded: DirEntries | undefined
  /** When a superseded `null` was made, ms since the epoch: its name does not tell. */
  readonly nullMadeAtMs: number | undefined
}

/**
 * The ids of a key's versions, the newest first: at most `limit` of them, and only those behind the version `after`, which
 * may be gone by now. The current one is the newest whatever its file's time says.
 */
export function orderVersions(
  { current, superseded, nullMadeAtMs }: FoundVersions,
  limit: number,
  after?: string,
): readonly string[] {
  const isAfterCurrent = after !== undefined && after === current?.id
  const marker = after === undefined || isAfterCurrent ? undefined : dated(after, nullMadeAtMs)
  // Nothing is known of when a null version was made that is gone.
  if (after !== undefined && !isAfterCurrent && marker === undefined) return []
  const isBehind = (version: DatedVersion): boolean =>
    marker === undefined || (marker.id !== version.id && compareVersions(marker, version) < 0)
  const ids: string[] = []
  // Unless its predecessor on the page before is gone, it was told there.
  const isLeft = after === undefined || !(isAfterCurrent || isThere(superseded, after))
  if (current !== undefined && isLeft && isBehind(current)) ids.push(current.id)
  const others: DatedVersion[] = []
  for (const id of fromTheEnd(superseded)) {
    if (others.length > limit) break
    const version = id === current?.id ? undefined : dated(id, nullMadeAtMs)
    if (version !== undefined && isBehind(version)) others.push(version)
  }
  ids.push(...others.sort(compareVersions).map(({ id }) => id))
  return ids.slice(0, limit)
}

function dated(id: string, nullMadeAtMs: number | undefined): DatedVersion | undefined {
  if (id !== NULL_VERSION) return { id, mtimeMs: 0 }
  return nullMadeAtMs === undefined ? undefined : { id, mtimeMs: nullMadeAtMs }
}

function isThere(entries: DirEntries | undefined, id: string): boolean {
  if (entries === undefined) return false
  const name = Buffer.from(id)
  return isEntry(entries, lowerBound(entries, name), name)
}

/** `null` sorts behind all others: it is the first to come. */
function* fromTheEnd(entries: DirEntries | undefined): Iterable<string> {
  if (entries === undefined) return
  for (let i = entries.count - 1; i >= 0; i--) {
    const name = entries.types[i] === DT_REG ? entryName(entries, i) : undefined
    if (name !== undefined && isVersionName(name)) yield name
  }
}

export function hasNullVersion(entries: DirEntries): boolean {
  // Of versions no name sorts behind it.
  for (const id of fromTheEnd(entries)) return id === NULL_VERSION
  return false
}
