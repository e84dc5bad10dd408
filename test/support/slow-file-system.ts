import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRoot } from './tools.ts'

/** Milliseconds that each operation of a kind takes. */
export interface Delays {
  readonly read?: number
  readonly write?: number
  readonly sync?: number
  /** Reading a directory. */
  readonly list?: number
  /** What has to do with one name: looking it up, opening, renaming, removing it, its attributes. */
  readonly name?: number
}

/** A directory of this machine seen through a FUSE file system that can be made slow. */
export interface SlowFileSystem {
  /** The directory as it is seen through it. */
  readonly dir: string
  /** Where the files really are: no delays. */
  readonly source: string
  /** What is not named is not delayed. */
  delay(delays: Delays): void
  remove(): Promise<void>
}

/** Each look at a name is one of the file system's, not of the kernel's memory. */
const UNCACHED = 'entry_timeout=0,attr_timeout=0,negative_timeout=0'

const SOURCE = fileURLToPath(new URL('slow-fs.c', import.meta.url))

/** Undefined, with a line that says why, where there is no FUSE. */
export async function slowFileSystem(): Promise<SlowFileSystem | undefined> {
  const base = mkdtempSync(join(tmpdir(), 'vgw-slow-'))
  const at = (name: string): string => join(base, name)
  const why = build(at('slow-fs'))
  if (why !== undefined) {
    console.warn(`no FUSE file system can be made here: its tests are skipped (${why})`)
    rmSync(base, { recursive: true })
    return undefined
  }
  for (const name of ['source', 'mnt']) mkdirSync(at(name))
  writeFileSync(at('delays'), numbers({}))
  const device = statSync(at('mnt')).dev
  const server = spawn(
    at('slow-fs'),
    [at('source'), at('delays'), at('mnt'), '-f', '-o', UNCACHED],
    {
      stdio: 'ignore',
    },
  )
  const ended = once(server, 'exit')
  while (statSync(at('mnt')).dev === device) {
    if (server.exitCode !== null) throw new Error('the FUSE file system did not start')
    await sleep(10)
  }
  const file = openSync(at('delays'), 'r+')
  return {
    dir: at('mnt'),
    source: at('source'),
    delay: (delays) => writeSync(file, numbers(delays), 0, undefined, 0),
    async remove() {
      closeSync(file)
      execFileSync('umount', [at('mnt')], { stdio: 'pipe' })
      await ended
      rmSync(base, { recursive: true })
    },
  }
}

function build(program: string): string | undefined {
  if (!isRoot) return 'not root'
  if (!existsSync('/dev/fuse')) return 'no /dev/fuse'
  try {
    const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'fuse3'], { stdio: 'pipe' })
    execFileSync('cc', ['-O1', '-o', program, SOURCE, ...flags.toString().trim().split(/\s+/)], {
      stdio: 'pipe',
    })
    return undefined
  } catch (error) {
    return `libfuse3-dev and pkg-config are needed: ${String(error).split('\n')[0] ?? ''}`
  }
}

/** In the order of slow-fs.c. */
function numbers({ read = 0, write = 0, sync = 0, list = 0, name = 0 }: Delays): Buffer {
  return Buffer.from(Uint32Array.of(read, write, sync, list, name).buffer)
}
