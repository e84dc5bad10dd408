import type { Span } from '../trace/recorder.ts'
import { loadAddon } from './addon.ts'
import { LAYOUT } from './arena.ts'
import { NativeChain } from './chain.ts'
import { Dispatcher } from './dispatcher.ts'
import { createFaults, type Faults } from './faults.ts'
import { kindBit, NativeHasher } from './hashers.ts'
import type { Chain, Hasher, HashKind, Io, SendFile, SendFileResult } from './io.ts'
import { IoError } from './io-error.ts'
import { Sender } from './sender.ts'

export interface IoOptions {
  /** Threads of the pool: 8 unless said otherwise. */
  readonly threads?: number | undefined
  /** Chains in the addon at one time: 128 unless said otherwise. More wait. */
  readonly slots?: number | undefined
  /** Resolves paths the old way, links included. */
  readonly followSymlinks?: boolean | undefined
  /** Whether system calls are recorded for spans that are recording: true unless said otherwise. */
  readonly syscalls?: boolean | undefined
  /** Another build of the addon. */
  readonly addonPath?: string | undefined
}

const DEFAULT_THREADS = 8
const DEFAULT_SLOTS = 128

/** The addon's pool as `Io`, and the switch by which tests make its system calls fail. */
export function createIo(options: IoOptions = {}): Io & { readonly faults: Faults } {
  const slots = options.slots ?? DEFAULT_SLOTS
  const native = loadAddon(options.addonPath).create(
    options.threads ?? DEFAULT_THREADS,
    slots,
    options.followSymlinks === true ? 1 : 0,
    onDone,
  )
  const done = new Uint32Array(native.arena, 0, LAYOUT.head >> 2)
  const dispatcher = new Dispatcher(native, slots)
  const syscalls = options.syscalls !== false
  const sender = new Sender(native, syscalls)
  const counts = new Float64Array(7)
  let closing: Promise<void> | undefined

  function onDone(count: number): void {
    for (let i = 0; i < count; i++) {
      const id = done[i] ?? 0
      if (id >= LAYOUT.sendId) sender.settle(id)
      else dispatcher.settle(id)
    }
  }

  async function close(): Promise<void> {
    const idle = Promise.all([dispatcher.close(), sender.close()])
    native.stop()
    await idle
    native.close()
  }

  return {
    chain(span: Span, { bulk = false, record = true }: { bulk?: boolean; record?: boolean } = {}): Chain {
      const { recording } = span
      return new NativeChain(dispatcher, recording && record ? span : undefined, { bulk, syscalls: syscalls && recording })
    },
    hasher(kinds: readonly HashKind[]): Hasher {
      return new NativeHasher(native, kinds)
    },
    sendFile(span: Span, request: SendFile): Promise<SendFileResult> {
      return sender.send(span, request)
    },
    combineCrc(kind, a, b, lengthB) {
      const crc = Buffer.from(a, 'base64')
      native.combineCrc(kindBit(kind), crc, Buffer.from(b, 'base64'), lengthB)
      return crc.toString('base64')
    },
    openRoot(path) {
      const fd = native.openRoot(path)
      if (fd < 0) throw new IoError(-fd, 'open', undefined)
      return fd
    },
    stats() {
      native.stats(counts)
      const [threads = 0, queued = 0, running = 0, sending = 0, wakes = 0, takeovers = 0, jobs = 0] = counts
      return { threads, queued: queued + dispatcher.waiting, running, sending, wakes, takeovers, jobs }
    },
    close() {
      closing ??= close()
      return closing
    },
    faults: createFaults(native),
  }
}
