/** Where attributes are kept that files do not carry themselves. */
export interface SidecarOptions {
  readonly directory: string
  /** What is written there is synced. */
  readonly durable: boolean
  /** The place of what lies at a path: beneath a root whose place is known, and with that in front. */
  readonly placeOf: (path: string) => string
}

/**
 * The paths of descriptors that outlive their chains: of roots, buckets and files kept open. A number that is used again is
 * told of anew before anyone asks; there are as many as the process may have descriptors.
 */
export class Places {
  /** Of the sidecar directory. */
  readonly directory: number
  readonly durable: boolean
  readonly #placeOf: (path: string) => string
  readonly #paths = new Map<number, string>()

  constructor(directory: number, { durable, placeOf }: SidecarOptions) {
    this.directory = directory
    this.durable = durable
    this.#placeOf = placeOf
  }

  path(fd: number): string | undefined {
    return this.#paths.get(fd)
  }

  /** Undefined: a file that has no name. */
  set(fd: number, path: string | undefined): void {
    if (path === undefined) this.#paths.delete(fd)
    else this.#paths.set(fd, path)
  }

  /** Places in the form in which steps carry them, and behind them a path as it is. */
  encode(paths: readonly string[], path?: string): Buffer {
    const places = paths.map((at) => `${this.#placeOf(at)}\0`).join('')
    return Buffer.from(path === undefined ? places : `${places}${path}\0`)
  }
}
