import { constants } from 'node:os'
import type { SendFileResult, Step } from './io.ts'

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

/** errno(3) name, or `E<number>` for one this platform's table does not know. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`
}

/** A step of a chain failed. Its message names the system call and the errno, never a path. */
export class IoError extends Error {
  readonly errno: number
  readonly code: string
  readonly syscall: string
  readonly #step: Step<unknown> | undefined

  constructor(errno: number, syscall: string, step: Step<unknown> | undefined) {
    super(`${syscall}: ${errnoName(errno)}`)
    this.name = 'IoError'
    this.errno = errno
    this.code = errnoName(errno)
    this.syscall = syscall
    this.#step = step
  }

  /**
   * The step that failed: compare it with the steps of the chain to know what was being done. No property of its own, so that
   * who logs the error does not log the request's whole record with it.
   */
  get step(): Step<unknown> | undefined {
    return this.#step
  }
}

/** A file did not get to its client whole; this much did. */
export class SendError extends IoError {
  readonly sent: SendFileResult

  constructor(errno: number, syscall: string, sent: SendFileResult) {
    super(errno, syscall, undefined)
    this.name = 'SendError'
    this.sent = sent
  }
}
