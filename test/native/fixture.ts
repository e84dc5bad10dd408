import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest'
import type { Chain, Io } from '../../src/io/io.ts'
import { IoError } from '../../src/io/io-error.ts'
import { createIo, type IoOptions } from '../../src/io/native.ts'
import type { Faults } from '../../src/io/faults.ts'
import { Recorder, type Span } from '../../src/trace/recorder.ts'

/** A pool of its own and a fresh directory for each test; a test that leaves a descriptor open fails. */
export interface Fixture {
  readonly io: Io & { readonly faults: Faults }
  /** Absolute path, and a descriptor of it. */
  readonly dir: string
  readonly root: number
  /** A recorder's root, new for each test. */
  readonly span: Span
  chain(options?: { bulk?: boolean; record?: boolean }): Chain
  path(...names: string[]): string
}

export function useIo(options: IoOptions = {}, parent: () => string = tmpdir): Fixture {
  let io: Fixture['io'] | undefined
  let dir = ''
  let root = -1
  let span = new Recorder(true, undefined).root
  let before: string[] = []

  beforeAll(() => {
    io = createIo(options)
  })
  afterAll(() => io?.close())
  beforeEach(() => {
    dir = mkdtempSync(join(parent(), 'vgw-io-'))
    root = fixture.io.openRoot(dir)
    span = new Recorder(true, undefined).root
    before = openFiles()
  })
  afterEach(async () => {
    fixture.io.faults.clear()
    expect(openFiles()).toEqual(before)
    await closeFd(fixture.io, root)
    rmSync(dir, { recursive: true, force: true })
  })

  const fixture: Fixture = {
    get io() {
      if (io === undefined) throw new Error('only inside tests')
      return io
    },
    get dir() {
      return dir
    },
    get root() {
      return root
    },
    get span() {
      return span
    },
    chain: (options) => fixture.io.chain(span, options),
    path: (...names) => join(dir, ...names),
  }
  return fixture
}

/** What the process has open, without the sockets and pipes of the test runner. */
export function openFiles(): string[] {
  const links: string[] = []
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      if (!/^(socket|pipe|anon_inode|\/proc|\/dev)/.test(target)) links.push(`${fd} ${target}`)
    } catch {
      // The descriptor of the listing itself.
    }
  }
  return links
}

/** Resolves once the chains that were started wait for a lock or a client, or have ended: no thread is at work. */
export function untilWaiting({ io }: Fixture): Promise<void> {
  return vi.waitFor(() => expect(io.stats()).toMatchObject({ queued: 0, running: 0 }), 60_000)
}

export async function closeFd(io: Io, fd: number): Promise<void> {
  const chain = io.chain(new Recorder(false, undefined).root)
  chain.close(fd)
  await chain.run()
}

/** The error that a chain fails with. */
export async function failureOf(run: Promise<unknown>): Promise<IoError> {
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof IoError)) throw new Error(`no IoError: ${String(error)}`)
  return error
}
