import { expect } from 'vitest'
import type { Kind } from './golden-kinds.ts'
import { foldedTree, misplaced } from './span-tree.ts'
import type { Traced } from './traced.ts'

/** The trace of the second request of a kind, as an indented tree of span names. */
export async function treeOf(
  at: Traced,
  { operation, request, status = 200 }: Kind,
): Promise<string> {
  const bucket = await at.bucket()
  let tree = ''
  for (const n of [1, 2]) {
    const answer = await at.send(...(await request(at, bucket, n)))
    expect([operation, answer.status, answer.status === status ? '' : answer.text]).toEqual([
      operation,
      status,
      '',
    ])
    const spans = await at.trace(answer)
    expect(misplaced(spans)).toEqual([])
    tree = foldedTree(spans)
  }
  return tree
}

/** Beneath test/golden. */
export function traceFile(operation: string): string {
  const name = operation.replaceAll(/([a-z])([A-Z])/g, '$1-$2').replaceAll(' ', '-')
  return `traces/${name.toLowerCase()}.txt`
}
