/** Failures of one address and access key, as often as they came. */
export interface FailureNote {
  readonly address: string
  readonly accessKey: string
  times: number
}

/** Of those that are told one by one, in each `GATHER_MS`. */
const AT_ONCE = 20
const GATHER_MS = 100
/** Different ones that are gathered at a time; more are not told. */
const MAX_GATHERED = 1000

/**
 * Tells the gateway's other processes of failures, so that guessing is as slow among several workers as it is with one: at
 * once while they are few, gathered while they are many.
 */
export class FailureNews {
  readonly #tell: (notes: readonly FailureNote[]) => void
  readonly #gathered = new Map<string, FailureNote>()
  #told = 0
  #timer: NodeJS.Timeout | undefined

  constructor(tell: (notes: readonly FailureNote[]) => void) {
    this.#tell = tell
  }

  add(address: string, accessKey: string): void {
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#turn(), GATHER_MS).unref()
    if (this.#told < AT_ONCE) {
      this.#told++
      this.#tell([{ address, accessKey, times: 1 }])
      return
    }
    const id = `${address} ${accessKey}`
    const note = this.#gathered.get(id)
    if (note !== undefined) note.times++
    else if (this.#gathered.size < MAX_GATHERED)
      this.#gathered.set(id, { address, accessKey, times: 1 })
  }

  #turn(): void {
    this.#timer = undefined
    this.#told = 0
    if (this.#gathered.size === 0) return
    this.#tell([...this.#gathered.values()])
    this.#gathered.clear()
  }
}
