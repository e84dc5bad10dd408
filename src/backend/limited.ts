import type { Backend } from './backend.ts'

/** A backend of which at most `limit` calls run at a time; others wait, in the order in which they came. */
export function limitCalls(backend: Backend, limit: number): Backend {
  let running = 0
  const waiting: (() => void)[] = []
  const turn = async <T>(call: () => Promise<T>): Promise<T> => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await call()
    } finally {
      // Whoever is next takes this place.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
  const members = Object.entries(backend).map(([name, member]: [string, unknown]) => {
    if (typeof member !== 'function' || name === 'close') return [name, member]
    const method = member as (...args: unknown[]) => Promise<unknown>
    return [name, (...args: unknown[]) => turn(() => method(...args))]
  })
  // The same members, of the same types.
  return Object.fromEntries(members) as Backend
}
