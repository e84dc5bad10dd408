/** A client that waits for each answer sends its next request within such a time. */
const SOON_NS = 500_000
/** So many requests in a row, each alone and soon after the one before, are such a client's. */
const SURE = 4

/**
 * Tells when requests come one by one, from a client that waits for each answer: all by one connection, each the only one
 * under way. A request of another connection ends that.
 */
export class LoneClient {
  #connection: object | undefined
  /** Falls by several where the client was late, so that a single pause is soon forgotten. */
  #inARow = 0

  /** A request of a connection, any object that stands for it, begins. */
  begins(connection: object): void {
    if (connection !== this.#connection) this.#inARow = 0
    this.#connection = connection
  }

  /** To be asked at each chain: whether it is the only one, and how long ago the last ended. */
  isSeen(isOnly: boolean, agoNs: number): boolean {
    if (isOnly && agoNs < SOON_NS) this.#inARow = Math.min(this.#inARow + 1, 2 * SURE)
    else this.#inARow = Math.max(this.#inARow - SURE, 0)
    return this.#inARow > SURE
  }
}
