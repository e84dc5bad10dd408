import { goMap, parseMap } from '../../go-json.ts'
import type { Io } from '../../io/io.ts'
import { Recorder } from '../../trace/recorder.ts'
import { ATTRIBUTE, LEGACY_METADATA } from './attributes.ts'
import { DT_DIR, DT_REG, entryName } from './packed-names.ts'

export interface Conversion {
  /** Files and directories that have attributes at all. */
  readonly scanned: number
  readonly converted: number
  readonly skipped: number
  readonly errors: number
}

/** Entries looked at side by side. */
const AT_ONCE = 64

/**
 * Moves the user metadata of every file and directory below `root` from the attributes that older versions of VersityGW
 * made, one for each entry (`X-Amz-Meta.color`), into the one JSON map. Links are not followed, other kinds of files and
 * the directory itself are left alone. Whoever has both kinds keeps both: what a gateway has shown so far, the map's, wins.
 *
 * It may run beside a gateway: an object replaced meanwhile has no old attributes, and the file that was read is the one
 * that is written.
 */
export async function convertMetadata(
  io: Io,
  root: number,
  onError: (path: string, error: Error) => void,
): Promise<Conversion> {
  const converter = new Converter(io, root)
  const counts = { scanned: 0, converted: 0, skipped: 0, errors: 0 }
  const directories = ['']
  const visit = async ({ path, isDirectory }: Entry): Promise<void> => {
    try {
      const outcome = await converter.convert(path, isDirectory)
      if (isDirectory) directories.push(`${path}/`)
      if (outcome === 'bare') return
      counts.scanned++
      counts[outcome]++
    } catch (error) {
      counts.errors++
      onError(path, error instanceof Error ? error : new Error(String(error)))
    }
  }
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    const entries = await converter.entries(directory, onError).catch((error: Error) => {
      counts.errors++
      onError(directory ?? '', error)
      return []
    })
    for (let i = 0; i < entries.length; i += AT_ONCE)
      await Promise.all(entries.slice(i, i + AT_ONCE).map(visit))
  }
  return counts
}

interface Entry {
  /** Below the root, without a slash at either end. */
  readonly path: string
  readonly isDirectory: boolean
}

type Attributes = ReadonlyMap<string, Buffer>

class Converter {
  readonly #io: Io
  readonly #root: number
  readonly #silent = new Recorder(false, undefined).root

  constructor(io: Io, root: number) {
    this.#io = io
    this.#root = root
  }

  /** Files and directories in `directory`, which is empty or ends in a slash. */
  async entries(
    directory: string,
    onError: (path: string, error: Error) => void,
  ): Promise<readonly Entry[]> {
    const chain = this.#io.chain(this.#silent)
    const opened =
      directory === ''
        ? this.#root
        : chain.openDir(this.#root, directory.slice(0, -1), { readable: true })
    const list = chain.listDir(opened)
    await chain.run()
    const entries: Entry[] = []
    for (let i = 0; i < list.value.count; i++) {
      const type = list.value.types[i]
      if (type !== DT_DIR && type !== DT_REG) continue
      const name = entryName(list.value, i)
      if (name === undefined) onError(directory, new Error('a name in it is no UTF-8'))
      else entries.push({ path: directory + name, isDirectory: type === DT_DIR })
    }
    return entries
  }

  async convert(path: string, isDirectory: boolean): Promise<'bare' | 'converted' | 'skipped'> {
    const looking = await this.#open(path, isDirectory, false)
    if (looking.attributes.size === 0) return 'bare'
    if (legacyNames(looking.attributes).length === 0) return 'skipped'
    const { fd, attributes } = await this.#open(path, isDirectory, true)
    const chain = this.#io.chain(this.#silent)
    const removed = legacyNames(attributes)
    // What is new is written before what is gone is removed: stopped in between, nothing is lost.
    if (removed.length > 0) {
      chain.writeMetadata(fd, [[ATTRIBUTE.metadata, goMap(mergedMetadata(attributes))]])
      chain.writeMetadata(fd, [], { removed })
    }
    try {
      await chain.run()
    } finally {
      const closing = this.#io.chain(this.#silent)
      closing.close(fd)
      await closing.run()
    }
    return 'converted'
  }

  async #open(
    path: string,
    isDirectory: boolean,
    keep: boolean,
  ): Promise<{ fd: number; attributes: Attributes }> {
    const chain = this.#io.chain(this.#silent)
    const fd = isDirectory
      ? chain.openDir(this.#root, path, { readable: true, keep })
      : chain.openFile(this.#root, path, { keep })
    const attributes = chain.readMetadata(fd)
    await chain.run()
    return { fd: fd.value, attributes: attributes.value }
  }
}

function legacyNames(attributes: Attributes): string[] {
  return [...attributes.keys()].filter((name) => name.startsWith(LEGACY_METADATA))
}

function mergedMetadata(attributes: Attributes): Record<string, string> {
  const legacy = [...attributes].flatMap(([name, value]) =>
    name.startsWith(LEGACY_METADATA)
      ? [[name.slice(LEGACY_METADATA.length), value.toString()] as const]
      : [],
  )
  return { ...Object.fromEntries(legacy), ...parseMap(attributes.get(ATTRIBUTE.metadata)) }
}
