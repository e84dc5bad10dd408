import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { Backend, Call, NewObject, ObjectHead, ObjectRef } from '../../src/backend/backend.ts'
import type { Payload, PayloadCheck, PieceSink } from '../../src/backend/payload.ts'
import { createPosixBackend, type PosixBackendOptions } from '../../src/backend/posix/index.ts'
import { openSidecar } from '../../src/backend/posix/sidecar.ts'
import { createIo, type IoOptions } from '../../src/io/native.ts'
import { S3Error } from '../../src/s3/errors.ts'
import { Recorder, type Span } from '../../src/trace/recorder.ts'
import { registerSidecar } from '../support/tree.ts'

export interface TestBackend {
  readonly backend: Backend
  readonly io: ReturnType<typeof createIo>
  /** The directory that is served. */
  readonly root: string
  readonly sidecar: string | undefined
  close(): Promise<void>
}

/** A posix backend over a directory of its own, which goes with it. */
export async function openBackend(
  options: Partial<PosixBackendOptions> & {
    ioOptions?: IoOptions
    root?: string
    /** Attributes are kept in a sidecar directory beside the root. */
    sidecar?: boolean
  } = {},
): Promise<TestBackend> {
  const root = options.root ?? mkdtempSync(join(tmpdir(), 'vgw-backend-'))
  const sidecar = options.sidecar === true ? `${root}.sidecar` : undefined
  if (sidecar !== undefined) {
    mkdirSync(sidecar, { recursive: true })
    registerSidecar(root, sidecar)
  }
  const durable = options.durability === 'full'
  const attributes =
    sidecar === undefined
      ? {}
      : { attributes: await openSidecar(sidecar, { directory: root, durable }) }
  const io = createIo({ ...attributes, ...options.ioOptions })
  const backend = await createPosixBackend({
    io,
    directory: root,
    durability: 'none',
    dirMode: 0o755,
    useTmpFile: true,
    useCopyFileRange: true,
    ...options,
  })
  return {
    backend,
    io,
    root,
    sidecar,
    async close() {
      await backend.close()
      await io.close()
      if (options.root !== undefined) return
      rmSync(root, { recursive: true, force: true })
      rmSync(`${root}.sidecar`, { recursive: true, force: true })
    },
  }
}

/** A new backend with a bucket for each test. */
export function useBackend(options: Parameters<typeof openBackend>[0] = {}): TestBackend {
  let current: TestBackend | undefined
  const opened = (): TestBackend => {
    if (current === undefined) throw new Error('only inside tests')
    return current
  }
  beforeEach(async () => {
    current = await openBackend(options)
    await makeBucket(current.backend)
  })
  afterEach(() => current?.close())
  return {
    get backend() {
      return opened().backend
    },
    get io() {
      return opened().io
    },
    get root() {
      return opened().root
    },
    get sidecar() {
      return opened().sidecar
    },
    close: () => opened().close(),
  }
}

/** The ways in which files are made. */
export const VARIANTS = [
  { name: 'O_TMPFILE', useTmpFile: true, durability: 'none' },
  { name: 'O_TMPFILE, durable', useTmpFile: true, durability: 'full' },
  { name: 'named temporary files', useTmpFile: false, durability: 'none' },
] as const

/** And in which their attributes are kept. */
export const STORE_VARIANTS = [
  ...VARIANTS,
  { name: 'a sidecar directory', useTmpFile: true, durability: 'none', sidecar: true },
] as const

/** What a call carries; `span` tells what was recorded below it. */
export function newCall(): Call & { readonly recorder: Recorder } {
  const recorder = new Recorder(true, undefined)
  const span = recorder.root.child('Backend.Test')
  return { span, signal: new AbortController().signal, recorder }
}

export interface TestPayload {
  /** Bytes a piece. */
  readonly pieceBytes?: number
  readonly checks?: readonly PayloadCheck[]
  /** Rejects after that many bytes, as a connection that breaks does. */
  readonly breaksAfter?: number
  /** Runs before each piece. */
  readonly beforePiece?: (sent: number) => Promise<void> | void
}

export class BrokenBody extends Error {}

/** A request's body, from memory. */
export function payloadOf(bytes: Uint8Array | string, options: TestPayload = {}): Payload {
  const body = Buffer.from(bytes)
  const pieceBytes = options.pieceBytes ?? 64 * 1024
  async function* pieces(): AsyncIterable<Buffer> {
    for (let at = 0; at < body.length; at += pieceBytes) {
      if (options.breaksAfter !== undefined && at >= options.breaksAfter)
        throw new BrokenBody('the connection broke')
      await options.beforePiece?.(at)
      yield body.subarray(at, at + pieceBytes)
    }
    if (options.breaksAfter !== undefined) throw new BrokenBody('the connection broke')
  }
  return {
    length: body.length,
    kinds: (options.checks ?? []).map(({ kind }) => kind),
    checks: () => options.checks ?? [],
    clientWaitNs: 0,
    async collect() {
      const all: Buffer[] = []
      for await (const piece of pieces()) all.push(piece)
      return all
    },
    async pump(sink: PieceSink) {
      for await (const piece of pieces()) {
        if (sink.write(piece)) continue
        await new Promise<void>((resolve) => {
          sink.onDrain = resolve
        })
      }
    },
  }
}

export function newObject(object: Partial<NewObject> = {}): NewObject {
  return {
    headers: {},
    userMetadata: {},
    tags: undefined,
    checksum: 'CRC64NVME',
    precondition: {},
    ...object,
  }
}

export function put(
  backend: Backend,
  ref: ObjectRef,
  bytes: Uint8Array | string,
  object: Partial<NewObject> = {},
) {
  return backend.putObject(ref, newObject(object), payloadOf(bytes), newCall())
}

export async function makeBucket(backend: Backend, name = 'bucket'): Promise<void> {
  await backend.createBucket({ name, owner: 'root', subresources: new Map() }, newCall())
}

/** The whole object, or a slice of it. */
export async function read(
  { backend, io }: Pick<TestBackend, 'backend' | 'io'>,
  ref: ObjectRef,
  slice?: { offset: number; length: number },
): Promise<{ head: ObjectHead; bytes: Buffer }> {
  const call = newCall()
  const { head, body } = await backend.getObject(
    ref,
    (h) => slice ?? { offset: 0, length: h.size },
    call,
  )
  if (body.kind === 'bytes') return { head, bytes: body.bytes }
  const chain = io.chain(call.span)
  const data = chain.readData(body.fd, { offset: body.offset, length: body.length })
  chain.close(body.fd)
  await chain.run()
  return { head, bytes: data.value }
}

/** The S3 error code that a promise rejects with; fails where it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const outcome: unknown = await promise.then(
    () => 'no error',
    (error: unknown) => error,
  )
  if (outcome instanceof S3Error) return outcome.code
  throw new Error('not an S3Error', { cause: outcome })
}

/** The S3 error code, or `ok`. */
export async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  const outcome: unknown = await promise.then(
    () => 'ok',
    (error: unknown) => error,
  )
  if (outcome === 'ok') return 'ok'
  if (outcome instanceof S3Error) return outcome.code
  throw new Error('not an S3Error', { cause: outcome })
}

export function md5(bytes: Uint8Array | string): string {
  return createHash('md5').update(bytes).digest('hex')
}

/** Names of the spans below the backend span, nested ones indented. */
export function spanTree(span: Span): string[] {
  const lines: string[] = []
  const walk = (parent: Span, depth: number): void => {
    for (const child of parent.recorder.spans) {
      if (child.parent !== parent) continue
      lines.push('  '.repeat(depth) + child.name)
      walk(child, depth + 1)
    }
  }
  walk(span, 0)
  return lines
}

/** Bytes that repeat in no short pattern, the same each time. */
export function someBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed * 2654435761 + 1
  for (let i = 0; i + 4 <= length; i += 4) {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 374761393
    bytes.writeInt32LE(state | 0, i)
  }
  for (let i = length & ~3; i < length; i++) bytes[i] = (seed + i) & 255
  return bytes
}
