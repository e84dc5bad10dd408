import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll } from 'vitest'

export type FileSystem = 'ext4' | 'xfs' | 'btrfs' | 'tmpfs' | 'ramfs'

export interface Mount {
  readonly path: string
  unmount(): void
}

const MEBIBYTES: Readonly<Record<Exclude<FileSystem, 'ramfs'>, number>> = {
  ext4: 256,
  xfs: 512,
  btrfs: 512,
  tmpfs: 256,
}

const MAKE: Readonly<Record<Exclude<FileSystem, 'tmpfs' | 'ramfs'>, readonly string[]>> = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q'],
}

/**
 * A file system of its own in a file, there while the tests of the enclosing block run, or why there can be none (no root,
 * no tools, no loop devices). A trial answers that at once and leaves nothing mounted: of a block whose tests are all filtered
 * out (`-t`) no hook is called that could unmount.
 */
export function mountFileSystem(type: FileSystem): Mount | string {
  let mounted: Mount
  try {
    mounted = make(type)
    mounted.unmount()
  } catch (error) {
    return `${type} cannot be mounted here: ${error instanceof Error ? error.message.trim() : String(error)}`
  }
  beforeAll(() => {
    mounted = make(type)
  })
  return {
    get path() {
      return mounted.path
    },
    unmount: () => mounted.unmount(),
  }
}

function make(type: FileSystem): Mount {
  const dir = mkdtempSync(join(tmpdir(), `vgw-${type}-`))
  const path = join(dir, 'mnt')
  try {
    mkdirSync(path)
    if (type === 'tmpfs') {
      run(['mount', '-t', 'tmpfs', '-o', `size=${MEBIBYTES.tmpfs}m`, 'tmpfs', path])
    } else if (type === 'ramfs') {
      // Without extended attributes, and without a limit.
      run(['mount', '-t', 'ramfs', 'ramfs', path])
    } else {
      const image = join(dir, 'image')
      writeFileSync(image, '')
      truncateSync(image, MEBIBYTES[type] * 1024 * 1024)
      run([...MAKE[type], image])
      run(['mount', '-o', 'loop', image, path])
    }
  } catch (error) {
    rmSync(dir, { recursive: true, force: true })
    throw error
  }
  return {
    path,
    unmount() {
      run(['umount', path])
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function run([program = '', ...args]: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
