/** Where the time of a request went. Each millisecond belongs to one of them. */
export type Phase =
  | 'client'
  | 'auth'
  | 'iam'
  | 'queue'
  | 'lock'
  | 'metadata'
  | 'directory'
  | 'data'
  | 'sync'
  | 'hash'
  | 'other'

/** What most of a slow request's time is owed to; `unknown` where the trace does not tell. */
export type Cause =
  | 'slow-client'
  | 'full-pool'
  | 'cold-cache'
  | 'slow-disk'
  | 'slow-sync'
  | 'large-directory'
  | 'lock'
  | 'remote-iam'
  | 'hashing'
  | 'fast'
  | 'unknown'

export interface PhaseTime {
  readonly phase: Phase
  readonly ms: number
  /** Without the time: "waiting for the client to send the body (12 MB/s)". */
  readonly text: string
}

/** One request in words. */
export interface Explanation {
  /** "412 ms: 371 ms waiting for the client …, 2 ms everything else". */
  readonly sentence: string
  /** By their time, the longest first; they add up to the request's duration. */
  readonly phases: readonly PhaseTime[]
  readonly cause: Cause
  /** One sentence about the cause, or about what is missing to tell it. */
  readonly verdict: string
  /** The file system and the like, as far as the trace tells. */
  readonly facts: readonly string[]
}
