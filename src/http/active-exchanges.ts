interface Placed {
  /** Where `ActiveExchanges` has it. */
  place: number
}

/**
 * The exchanges under way. An array whose gaps are filled from its end, not a Set: a Set that is added to and deleted from
 * with every request leaves a trail of tables behind, each of which keeps the next one and its dead exchanges alive until a full
 * garbage collection.
 */
export class ActiveExchanges<T extends Placed> {
  readonly list: T[] = []

  add(exchange: T): void {
    exchange.place = this.list.length
    this.list.push(exchange)
  }

  delete(exchange: T): void {
    const last = this.list.pop()
    if (last === undefined || last === exchange) return
    this.list[exchange.place] = last
    last.place = exchange.place
  }
}
