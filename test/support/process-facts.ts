import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Open descriptors of another process of ours. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Resident memory in MiB. */
export function residentMiB(pid: number): number {
  const [, kiB = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kiB) / 1024
}

/** By the ids of a process's threads: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, field 19. */
export function threadNiceness(pid: number): Map<number, number> {
  const niceness = new Map<number, number>()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    // The second field is a name, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
    niceness.set(Number(thread), Number(fields[19 - 3]))
  }
  return niceness
}

/** True as soon as the condition holds; false when it has not held for so long. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > deadline) return false
    await delay(50)
  }
  return true
}
