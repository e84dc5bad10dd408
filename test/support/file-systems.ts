import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRoot } from './tools.ts'

export interface FileSystem {
  readonly dir: string
  unmount(): void
}

type Kind = 'ext4' | 'xfs' | 'tmpfs'

const MAKE: Readonly<Record<Exclude<Kind, 'tmpfs'>, readonly string[]>> = {
  ext4: ['mkfs.ext4', '-q', '-F', '-m', '0'],
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
}

/** A file system of its own, mounted; undefined, with a line that says why, where this process cannot make one. */
export function mountFileSystem(kind: Kind, sizeMiB: number): FileSystem | undefined {
  if (!isRoot) {
    console.warn(`only root can mount ${kind}: its tests are skipped`)
    return undefined
  }
  const base = mkdtempSync(join(tmpdir(), 'vgw-fs-'))
  const dir = join(base, 'mnt')
  const image = join(base, 'image')
  try {
    execFileSync('mkdir', [dir])
    if (kind === 'tmpfs') {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', dir], {
        stdio: 'pipe',
      })
    } else {
      writeFileSync(image, '')
      truncateSync(image, sizeMiB * 1024 * 1024)
      const [program = '', ...args] = MAKE[kind]
      execFileSync(program, [...args, image], { stdio: 'pipe' })
      execFileSync('mount', ['-o', 'loop', image, dir], { stdio: 'pipe' })
    }
  } catch (error) {
    rmSync(base, { recursive: true, force: true })
    console.warn(
      `cannot mount ${kind}: its tests are skipped (${String(error).split('\n')[0] ?? ''})`,
    )
    return undefined
  }
  return {
    dir,
    unmount() {
      execFileSync('umount', [dir], { stdio: 'pipe' })
      rmdirSync(dir)
      rmSync(base, { recursive: true, force: true })
    },
  }
}
