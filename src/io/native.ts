import { loadAddon, type NativeIo } from './addon.ts'
import { LAYOUT } from './arena.ts'
import { BareChain } from './bare-chain.ts'
import { NativeChain } from './chain.ts'
import { Dispatcher } from './dispatcher.ts'
import { createFaults, type Faults } from './faults.ts'
import { kindBit, NativeHasher } from './hashers.ts'
import type { Io } from './io.ts'
import type { IoStats } from './io-stats.ts'
import { IoError } from './io-error.ts'
import { Places, type SidecarOptions } from './places.ts'
import { Sender } from './sender.ts'
import { SidecarChain } from './sidecar-chain.ts'

export interface IoOptions {
  /** Threads of the pool: 8 unless said otherwise. */
  readonly threads?: number | undefined
  /** Chains in the addon at one time: 128 unless said otherwise. More wait. */
  readonly slots?: number | undefined
  /** Resolves paths the old way, links included. */
  readonly followSymlinks?: boolean | undefined
  /** Where copies go through memory: 1 MiB unless said otherwise. */
  readonly copyBufferBytes?: number | undefined
  /** Bodies go past the page cache. */
  readonly direct?: boolean | undefined
  /** Where attributes of files are kept: with them as extended attributes unless said otherwise, or nowhere. */
  readonly attributes?: 'xattr' | 'none' | SidecarOptions | undefined
  /** Whether system calls are recorded for spans that are recording: true unless said otherwise. */
  readonly syscalls?: boolean | undefined
  /** Another build of the addon. */
  readonly addonPath?: string | undefined
}

const DEFAULT_THREADS = 8
const DEFAULT_SLOTS = 128
const DEFAULT_COPY_BUFFER = 1024 * 1024

/** The addon's pool as `Io`, and the switch by which tests make its system calls fail. */
export function createIo(options: IoOptions = {}): Io & { readonly faults: Faults } {
  const { slots = DEFAULT_SLOTS, attributes = 'xattr' } = options
  const native = createNative(options, slots, onDone)
  const done = new Uint32Array(native.arena, 0, LAYOUT.head >> 2)
  const syscalls = options.syscalls !== false
  const dispatcher = new Dispatcher(native, slots)
  const sender = new Sender(native, syscalls)
  const places =
    typeof attributes === 'string' ? undefined : new Places(open(attributes.directory), attributes)
  let closing: Promise<void> | undefined

  function onDone(count: number): void {
    for (let i = 0; i < count; i++) {
      const id = done[i] ?? 0
      if (id >= LAYOUT.sendId) sender.settle(id)
      else dispatcher.settle(id)
    }
  }

  function open(path: string): number {
    const fd = native.openRoot(path)
    if (fd < 0) throw new IoError(-fd, 'open', undefined)
    return fd
  }

  return {
    chain(span, { bulk = false, record = true } = {}) {
      const { recording } = span
      const parent = recording && record ? span : undefined
      const how = { bulk, syscalls: syscalls && recording }
      if (attributes === 'xattr') return new NativeChain(dispatcher, parent, how)
      return places === undefined
        ? new BareChain(dispatcher, parent, how)
        : new SidecarChain(places, dispatcher, parent, how)
    },
    announce: (connection) => dispatcher.announce(connection),
    hasher: (kinds) => new NativeHasher(native, kinds),
    sendFile: (span, request) => sender.send(span, request),
    combineCrc(kind, a, b, lengthB) {
      const crc = Buffer.from(a, 'base64')
      native.combineCrc(kindBit(kind), crc, Buffer.from(b, 'base64'), lengthB)
      return crc.toString('base64')
    },
    discard: (pieces) => native.discard(pieces),
    openRoot(path, place) {
      const fd = open(path)
      places?.set(fd, place)
      return fd
    },
    direct: options.direct === true,
    stats: () => readStats(native, dispatcher),
    close() {
      closing ??= close(native, { dispatcher, sender, places })
      return closing
    },
    faults: createFaults(native),
  }
}

function createNative(
  options: IoOptions,
  slots: number,
  onDone: (count: number) => void,
): NativeIo {
  const { threads = DEFAULT_THREADS, copyBufferBytes = DEFAULT_COPY_BUFFER } = options
  const flags = (options.followSymlinks === true ? 1 : 0) | (options.attributes === 'none' ? 2 : 0)
  return loadAddon(options.addonPath).create(threads, slots, flags, copyBufferBytes, onDone)
}

function readStats(native: NativeIo, { waiting, queueWait }: Dispatcher): IoStats {
  const counts = new Float64Array(7)
  native.stats(counts)
  const [threads = 0, queued = 0, running = 0, sending = 0, wakes = 0, takeovers = 0, jobs = 0] =
    counts
  return { threads, queued: queued + waiting, running, sending, wakes, takeovers, jobs, queueWait }
}

/** New work is refused, running steps finish, and only then are the threads joined, which are idle by now. */
async function close(
  native: NativeIo,
  {
    dispatcher,
    sender,
    places,
  }: { dispatcher: Dispatcher; sender: Sender; places: Places | undefined },
): Promise<void> {
  if (places !== undefined) {
    const chain = new NativeChain(dispatcher, undefined, { bulk: false, syscalls: false })
    chain.close(places.directory)
    await chain.run()
  }
  const idle = Promise.all([dispatcher.close(), sender.close()])
  native.stop()
  await idle
  native.close()
}
