import { readFile, realpath, stat } from 'node:fs/promises'

/** Where the files of a directory are. */
export interface MountFacts {
  /** `ext4`, `xfs`, `nfs4`, `fuse.sshfs` … */
  readonly type: string
  /** The device, or what else is mounted: `/dev/sda1`, `server:/export`. */
  readonly source: string
  readonly mountPoint: string
}

/** Undefined where /proc does not tell. Never rejects. */
export async function mountOf(directory: string): Promise<MountFacts | undefined> {
  try {
    const path = await realpath(directory)
    const { dev } = await stat(path)
    const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(readMount)
    const mounts = lines.filter((mount) => mount !== undefined && contains(mount.mountPoint, path))
    // Of one mounted over another the later line counts; btrfs has device numbers of its own for its subvolumes.
    const deepest = mounts.reduce((best, mount) =>
      (mount?.mountPoint.length ?? 0) >= (best?.mountPoint.length ?? 0) ? mount : best,
    )
    const sameDevice = mounts.findLast((mount) => mount?.dev === dev)
    return sameDevice ?? deepest
  } catch {
    return undefined
  }
}

/** https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
function readMount(line: string): (MountFacts & { readonly dev: number }) | undefined {
  const [before = '', after = ''] = line.split(' - ')
  const [, , device = '', , mountPoint = ''] = before.split(' ')
  const [type = '', source = ''] = after.split(' ')
  const [major = 0, minor = 0] = device.split(':').map(Number)
  if (type === '') return undefined
  const dev = ((major & 0xfff) << 8) | (minor & 0xff) | ((minor & ~0xff) << 12)
  return { type, source: unescaped(source), mountPoint: unescaped(mountPoint), dev }
}

/** Spaces and the like are octal. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}

function contains(mountPoint: string, path: string): boolean {
  return mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`)
}
