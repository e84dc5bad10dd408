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

/** By their numbers in https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function statFields(path: string): (number: number) => number {
  const stat = readFileSync(path, 'utf8')
  // The second field is a name, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
  return (number) => Number(fields[number - 3])
}

/** CPU time of all threads so far, in seconds; a clock tick is 10 ms on every architecture that Linux serves here. */
export function cpuSeconds(pid: number): number {
  const field = statFields(`/proc/${pid}/stat`)
  return (field(14) + field(15)) / 100
}

/** By the ids of a process's threads. */
export function threadNiceness(pid: number): Map<number, number> {
  const niceness = new Map<number, number>()
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    niceness.set(Number(thread), statFields(`/proc/${pid}/task/${thread}/stat`)(19))
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
