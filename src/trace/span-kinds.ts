import type { Depth } from './tracing-config.ts'

/** What follows from a span's name alone: at which depth it stands, and which attributes its times yield. */
export interface NameRules {
  readonly level: number
  /** The attribute that tells how long the span took. */
  readonly duration: 'duration_ms' | 'posix.duration_ms' | undefined
  /** The attribute that counts the object bytes a span moved: posix.throughput_mbps follows from it. */
  readonly movedBytes: string | undefined
}

const LEVELS: Readonly<Record<Depth, number>> = { http: 0, backend: 1, io: 2, syscall: 3 }

export function levelOf(depth: Depth): number {
  return LEVELS[depth]
}

const MOVED_BYTES: Readonly<Record<string, string | undefined>> = {
  'Posix.IO.WriteData': 'posix.bytes_written',
  'Posix.IO.ReadData': 'posix.bytes_read',
  'Posix.IO.SendFile': 'posix.bytes_read',
  'Posix.IO.AssembleParts': 'posix.total_size',
  'Posix.IO.CopyPart': 'posix.part_size',
  'Posix.IO.FastFileCopy': 'posix.bytes_copied',
  'Posix.IO.CopyFileRange': 'posix.bytes_copied',
}

/** Rules of trace contract 3.2 to 3.4; the root is at level 0 whatever it is called. */
export function nameRules(name: string): NameRules {
  if (name.startsWith('Posix.Syscall.'))
    return { level: LEVELS.syscall, duration: undefined, movedBytes: undefined }
  if (name.startsWith('Posix.')) {
    return { level: LEVELS.io, duration: 'posix.duration_ms', movedBytes: MOVED_BYTES[name] }
  }
  const timed = name.startsWith('Auth.') || name.startsWith('IAM.') || name.startsWith('Backend.')
  return {
    level: LEVELS.backend,
    duration: timed ? 'duration_ms' : undefined,
    movedBytes: undefined,
  }
}

/** Milliseconds to the nanosecond. */
export function durationMs(ns: number): number {
  return Math.round(ns) / 1e6
}

/** MiB per second, to three decimals: 100 MiB in 450 ms is 222.222. A span too short for the clock has none. */
export function throughputMbps(bytes: number, ns: number): number {
  return ns <= 0 ? 0 : Math.round(((bytes / 1_048_576) * 1e12) / ns) / 1000
}

/** Numbers under these keys are doubles on the wire also when they are whole; other whole numbers are integers. */
export function isDoubleKey(key: string): boolean {
  return key.endsWith('_ms') || key.endsWith('_us') || key.endsWith('_mbps')
}
