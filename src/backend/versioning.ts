/** What a bucket does with versions; undefined where that was never said. */
export type VersioningState = 'Enabled' | 'Suspended' | undefined

/** As a bucket stores it: one byte (contract 2.2). */
export function storeVersioning(state: 'Enabled' | 'Suspended'): Buffer {
  return Buffer.from([state === 'Enabled' ? 1 : 0])
}

export function readVersioning(stored: Buffer | undefined): VersioningState {
  if (stored === undefined || stored.length === 0) return undefined
  return stored[0] === 1 ? 'Enabled' : 'Suspended'
}
