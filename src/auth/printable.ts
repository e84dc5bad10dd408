const LONGEST = 128

/** What a request says, fit for a line of a log or a terminal: short, and nothing but printable ASCII. */
export function printable(text: string): string {
  return text.slice(0, LONGEST).replaceAll(/[^\x20-\x7e]/g, '?')
}
