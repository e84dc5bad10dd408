import type { S3Request } from '../s3/request.ts'
import { Health } from '../trace/health.ts'
import type { Span } from '../trace/recorder.ts'

/** Objects that have to fail one after the other: fewer may be damaged themselves, on a disk that is well. */
const FAULTY_OBJECTS = 3

/**
 * Whether the backend works, as requests tell it. One file that cannot be read, however often it is asked for, says nothing of
 * all the others; a disk that is gone fails whatever is asked for.
 */
export class BackendHealth {
  readonly health: Health
  /** Asked for in vain since something else was answered. */
  readonly #faulty = new Set<string>()

  constructor(backendType: string) {
    this.health = new Health(`backend.${backendType}`)
  }

  /** `isWell`: the backend has answered, if only that there is no such object. */
  note(isWell: boolean, { bucket = '', key = '' }: S3Request, span: Span): void {
    const faulty = this.#faulty
    if (isWell) {
      if (faulty.size === 0) return
      faulty.clear()
      this.health.note(true, span)
    } else {
      if (faulty.size < FAULTY_OBJECTS) faulty.add(`${bucket}/${key}`)
      if (faulty.size === FAULTY_OBJECTS) this.health.note(false, span)
    }
  }
}
