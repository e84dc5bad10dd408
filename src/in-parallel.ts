/** Runs `run` for each item, `width` at a time. Waits for all of them before it fails: nothing goes on behind an answer. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const remaining = items.values()
  const worker = async (): Promise<void> => {
    for (const item of remaining) await run(item)
  }
  const workers = Array.from({ length: Math.min(width, items.length) }, worker)
  for (const outcome of await Promise.allSettled(workers))
    if (outcome.status === 'rejected') throw outcome.reason
}
