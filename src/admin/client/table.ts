/**
 * Rows under a head and a line of dashes, as VersityGW's tool lays them out: columns as wide as their longest cell and
 * two blanks, counted in characters; nothing after the last; an empty line at the end.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, head.map((title) => DASHES[title] ?? '-'.repeat(title.length)), ...rows]
  const widths = head.map((_, i) => Math.max(...cells.map((row) => lengthOf(row[i] ?? ''))) + GAP)
  const lines = cells.map((row) =>
    row
      .map((cell, i) =>
        i === row.length - 1
          ? printable(cell)
          : printable(cell) + ' '.repeat((widths[i] ?? 0) - lengthOf(cell)),
      )
      .join(''),
  )
  return `${lines.join('\n')}\n\n`
}

const GAP = 2
/** VersityGW's own are not all as long as their titles. */
const DASHES: Readonly<Record<string, string>> = { Bucket: '-------', Owner: '----' }

function lengthOf(text: string): number {
  return Array.from(text).length
}

/** Names come from directories, and may hold what a terminal would obey. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  return text.replace(/[\0-\x1f\x7f-\x9f]/g, '?')
}
