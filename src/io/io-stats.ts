import type { Histogram } from '../trace/histogram.ts'

/** Jobs waiting and running now, and the pool's size: for metrics and the start-up line. */
export interface IoStats {
  readonly threads: number
  readonly queued: number
  readonly running: number
  /** Files on their way to sockets. */
  readonly sending: number
  /** Since the start: threads woken, by a submitted job and by the watcher, and jobs begun. */
  readonly wakes: number
  readonly takeovers: number
  readonly jobs: number
  /** Seconds between the hand-over of a job and its first system call. */
  readonly queueWait: Histogram
}
