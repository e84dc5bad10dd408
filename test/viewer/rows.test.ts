import { describe, expect, test } from 'vitest'
import type { SpanView } from '../../src/viewer/api-types.ts'
import { visibleRows } from '../../src/viewer/page/rows.ts'

/** Spans by `level name`, parents before their children. */
function treeOf(...lines: readonly string[]): SpanView[] {
  const open: number[] = []
  return lines.map((line, index) => {
    const level = line.search(/\S/)
    open.length = level
    open[level] = index
    return {
      id: String(index).padStart(16, '0'),
      parent: open[level - 1] ?? -1,
      level,
      name: line.trim().replace('!', ''),
      phase: 'data',
      startUs: index,
      durationUs: 1,
      selfUs: 1,
      attributes: {},
      events: [],
      ...(line.endsWith('!') ? { error: 'failed' } : {}),
    }
  })
}

const shown = (tree: readonly SpanView[], turned: readonly string[] = []): string[] =>
  visibleRows(tree, new Set(turned)).map(
    ({ span, level, count }) => `${' '.repeat(level)}${span.name}${count > 1 ? ` ×${count}` : ''}`,
  )

describe('visibleRows', () => {
  test('spans are open until they are closed', () => {
    const tree = treeOf('root', ' a', '  b', ' c')
    expect(shown(tree)).toEqual(['root', ' a', '  b', ' c'])
    expect(shown(tree, ['s1'])).toEqual(['root', ' a', ' c'])
    expect(shown(tree, ['s0'])).toEqual(['root'])
  })

  test('equal neighbours are one row until they are opened; what failed stands alone', () => {
    const parts = Array.from({ length: 7 }, () => ' part')
    expect(shown(treeOf('root', ...parts, ' end'))).toEqual(['root', ' part ×7', ' end'])
    expect(shown(treeOf('root', ...parts, ' end'), ['g1'])).toHaveLength(10)
    expect(shown(treeOf('root', ...parts.slice(2), ' end'))).toHaveLength(7)
    expect(shown(treeOf('root', ...parts, ' part!', ...parts))).toEqual([
      'root',
      ' part ×7',
      ' part',
      ' part ×7',
    ])
  })

  test('a group reaches to the end of its last span, and its members keep their children', () => {
    const tree = treeOf('root', ...Array.from({ length: 6 }, () => [' part', '  copy']).flat())
    const [, group] = visibleRows(tree, new Set())
    expect(group).toMatchObject({ count: 6, endUs: 12, isOpen: false })
    expect(shown(tree, ['g1']).slice(0, 4)).toEqual(['root', ' part ×6', '  part', '   copy'])
  })

  test('ten thousand spans, and ten thousand levels', () => {
    const wide = treeOf('root', ...Array.from({ length: 10_000 }, (_, i) => ` span ${i}`))
    expect(visibleRows(wide, new Set())).toHaveLength(10_001)
    const deep = wide.map((span, i): SpanView => ({ ...span, parent: i - 1 }))
    expect(visibleRows(deep, new Set())).toHaveLength(10_001)
    expect(visibleRows([], new Set())).toEqual([])
  })
})
