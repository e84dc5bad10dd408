/**
 * The keys of a span's attributes in the order in which they were set; the values are an array beside it.
 *
 * Spans of a kind set the same keys in the same order, so these lists form a tree whose nodes are shared: an attribute is one
 * step down the tree and one value more, and whatever is prepared for all spans with these keys is found by the node.
 */
export class AttributeKeys {
  readonly list: readonly string[]
  /** Its number among the shared ones, from 0 on; -1 for a list that is one span's alone. */
  readonly id: number
  /** The step that was taken last. */
  #latest: AttributeKeys | undefined
  #latestKey = ''
  readonly #next = new Map<string, AttributeKeys>()

  constructor(list: readonly string[], id: number) {
    this.list = list
    this.id = id
  }

  /** These keys and one more. */
  with(key: string): AttributeKeys {
    return this.#latest !== undefined && this.#latestKey === key ? this.#latest : this.#find(key)
  }

  /** Where a key was set last; -1 where it was not. */
  indexOf(key: string): number {
    return this.list.lastIndexOf(key)
  }

  #find(key: string): AttributeKeys {
    const found = this.#next.get(key) ?? new AttributeKeys([...this.list, key], this.#nextId())
    if (found.id < 0) return found
    this.#next.set(key, found)
    this.#latest = found
    this.#latestKey = key
    return found
  }

  #nextId(): number {
    return this.id < 0 || shared >= MAX_SHARED ? -1 : shared++
  }
}

/** Keys come from the program, not from requests; the bound is for those who extend it carelessly. */
const MAX_SHARED = 4096
let shared = 1

export const NO_KEYS = new AttributeKeys([], 0)

export function attributeKeys(...keys: readonly string[]): AttributeKeys {
  let list = NO_KEYS
  for (const key of keys) list = list.with(key)
  return list
}
