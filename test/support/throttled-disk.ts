import { mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mountFileSystem } from './file-systems.ts'

/** An ext4 of its own whose disk can be made slow for some processes. */
export interface ThrottledDisk {
  readonly dir: string
  /** Puts a process and what it starts under the limits. */
  add(pid: number): void
  /** Bytes a second. */
  limit(limits: { readonly read?: number; readonly write?: number }): void
  unlimit(): void
  remove(): void
}

const CONTROLLER = '/sys/fs/cgroup/blkio'

/** Undefined, with a line that says why, where there are no loop devices or no cgroup of version 1 that throttles. */
export function throttledDisk(sizeMiB: number): ThrottledDisk | undefined {
  const group = join(CONTROLLER, `vgw-test-${process.pid}`)
  const files = { read: 'blkio.throttle.read_bps_device', write: 'blkio.throttle.write_bps_device' }
  try {
    mkdirSync(group)
    statSync(join(group, files.read))
  } catch (error) {
    console.warn(`no disk can be throttled here: its tests are skipped (${String(error)})`)
    return undefined
  }
  const disk = mountFileSystem('ext4', sizeMiB)
  if (disk === undefined) {
    rmdirSync(group)
    return undefined
  }
  const { dev } = statSync(disk.dir)
  const device = `${dev >> 8}:${dev & 0xff}`
  const set = (file: string, bytes: number): void =>
    writeFileSync(join(group, file), `${device} ${bytes}`)
  return {
    dir: disk.dir,
    add: (pid) => writeFileSync(join(group, 'cgroup.procs'), String(pid)),
    limit({ read, write }) {
      if (read !== undefined) set(files.read, read)
      if (write !== undefined) set(files.write, write)
    },
    unlimit() {
      set(files.read, 0)
      set(files.write, 0)
    },
    remove() {
      disk.unmount()
      for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n'))
        if (pid !== '') writeFileSync(join(CONTROLLER, 'cgroup.procs'), pid)
      rmdirSync(group)
    },
  }
}
