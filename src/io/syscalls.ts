/**
 * Raw system-call records: eight doubles each, as native/sys.c writes them. Name (an index of SYSCALL_NAMES),
 * descriptor, offset, result, errno, start, end, and the step of the job that made the call.
 */
export const RECORD_DOUBLES = 8
export const START = 5
export const END = 6

/** In the order of SYSCALLS in native/sys.h, which is compared when the addon is loaded. */
export const SYSCALL_NAMES = [
  'openat2',
  'openat',
  'close',
  'fstat',
  'fstatat',
  'flistxattr',
  'fgetxattr',
  'fsetxattr',
  'fremovexattr',
  'pread',
  'pwritev',
  'fallocate',
  'ftruncate',
  'fsync',
  'sync_file_range',
  'linkat',
  'renameat2',
  'unlinkat',
  'mkdirat',
  'getdents64',
  'ficlonerange',
  'copy_file_range',
  'sendfile',
  'ofd_setlk',
  'fchown',
  'fdatasync',
  'fchmod',
  'utimensat',
] as const

export type SyscallName = (typeof SYSCALL_NAMES)[number]

/** Those whose result counts bytes. */
const COUNTS_BYTES: ReadonlySet<string> = new Set<SyscallName>([
  'flistxattr',
  'fgetxattr',
  'pread',
  'pwritev',
  'getdents64',
  'copy_file_range',
  'sendfile',
])

/** One system call; `undefined` where a call has no such thing. Times are ns of the trace clock. */
export interface Syscall {
  readonly name: string
  readonly fd: number | undefined
  readonly offset: number | undefined
  readonly bytes: number | undefined
  readonly errno: number
  readonly startNs: number
  readonly endNs: number
}

export function* readSyscalls(records: Float64Array): Iterable<Syscall> {
  for (let at = 0; at + RECORD_DOUBLES <= records.length; at += RECORD_DOUBLES) {
    const [name = 0, fd = -1, offset = -1, result = 0, errno = 0, startNs = 0, endNs = 0] =
      records.subarray(at, at + RECORD_DOUBLES)
    const text = SYSCALL_NAMES[name] ?? 'unknown'
    yield {
      name: text,
      fd: fd >= 0 ? fd : undefined,
      offset: offset >= 0 ? offset : undefined,
      bytes: COUNTS_BYTES.has(text) && errno === 0 ? result : undefined,
      errno,
      startNs,
      endNs,
    }
  }
}
