import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { LAYOUT, OP } from './arena.ts'
import { SYSCALL_NAMES } from './syscalls.ts'

/** What native/addon.c exports. */
interface Addon {
  /** Undefined where the file is some other module. */
  readonly layout: Readonly<Record<string, number | readonly string[]>> | undefined
  create(
    threads: number,
    slots: number,
    flags: number,
    copyBuffer: number,
    onDone: (count: number) => void,
  ): NativeIo
  /** Of a hash_kind, into `out`, which is as long as the digest. */
  digest(kind: number, bytes: Buffer, out: Buffer): void
  isHmac(key: Buffer, message: string, hashed: string, hex: string): boolean
}

/** One pool with its arena; the functions are described where native/addon.c defines them. */
export interface NativeIo {
  readonly arena: ArrayBuffer
  submit(slot: number, pieces: readonly Uint8Array[] | undefined, how: number): number
  await(ns: number): void
  discard(pieces: readonly Uint8Array[]): void
  announce(ns: number): void
  kick(): void
  abandon(slot: number): void
  take(slot: number, blob: number): Buffer
  newHasher(kinds: number): number
  freeHasher(id: number): void
  combineCrc(kind: number, a: Buffer, b: Buffer, lengthB: number): void
  send(
    socket: number,
    file: number,
    offset: number,
    length: number,
    stallMs: number,
    syscalls: number,
  ): number
  cancelSend(id: number): void
  takeSend(id: number, out: Float64Array): void
  openRoot(path: string): number
  setFault(
    wholeStep: number,
    step: number,
    name: number,
    after: number,
    times: number,
    errno: number,
    delayUs: number,
  ): void
  faultsLeft(): number
  stats(out: Float64Array): void
  stop(): void
  close(): void
}

const DEFAULT_PATH = fileURLToPath(new URL('../../native/build/addon.node', import.meta.url))

/** Loads the addon, and refuses one that was built from other sources than these. */
export function loadAddon(path: string = DEFAULT_PATH): Addon {
  let addon: Addon
  try {
    addon = createRequire(import.meta.url)(path) as Addon
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    const reason = isMissing
      ? 'is not built'
      : `does not load (${cause instanceof Error ? cause.message : String(cause)})`
    throw new Error(
      `the native addon ${reason}: run "make -C native", which needs a C compiler and make`,
      { cause },
    )
  }
  const operations = Object.keys(OP).map((name) =>
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  )
  const expected = { ...LAYOUT, operations, syscallNames: SYSCALL_NAMES }
  for (const [name, value] of Object.entries(expected)) {
    if (JSON.stringify(addon.layout?.[name]) !== JSON.stringify(value)) {
      throw new Error(
        `the native addon was built from other sources (${name}): run "make -C native"`,
      )
    }
  }
  return addon
}
