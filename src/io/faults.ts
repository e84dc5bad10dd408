import type { NativeIo } from './addon.ts'
import { SYSCALL_NAMES, type SyscallName } from './syscalls.ts'

/** What is to fail, or to be slow. Without `step`, `call` and `after` every system call is. */
export interface Fault {
  /** Without it the call is made, after `delayMs`. KILL: the process is killed before it is made. */
  readonly errno?: number
  readonly delayMs?: number
  /** The n-th step of each job, counted from 0: alone, it fails without being run; else calls within it. */
  readonly step?: number
  /** Only calls of this name. */
  readonly call?: SyscallName
  /** As many matching calls succeed first. */
  readonly after?: number
  /** As many fail then; after that all succeed again. */
  readonly times?: number
}

/** The process dies as of kill -9, in the middle of a job. Only calls that may leave a mark on the disk are counted. */
export const KILL = -1

/** Makes steps and system calls fail, for tests. Clean-up after a failure is never refused. */
export interface Faults {
  set(fault: Fault): void
  clear(): void
  /** How many failures are still to come, of those that `times` asked for. */
  remaining(): number
}

const ALWAYS = 0x7fffffff

export function createFaults(native: NativeIo): Faults {
  return {
    set({ errno = 0, delayMs = 0, step, call, after, times }) {
      const isWholeStep =
        step !== undefined && call === undefined && after === undefined && delayMs === 0
      const name = call === undefined ? -1 : SYSCALL_NAMES.indexOf(call)
      native.setFault(
        isWholeStep ? 1 : 0,
        step ?? -1,
        name,
        after ?? 0,
        times ?? ALWAYS,
        errno,
        delayMs * 1000,
      )
    },
    clear() {
      native.setFault(0, -1, -1, 0, 0, 0, 0)
    },
    remaining: () => native.faultsLeft(),
  }
}
