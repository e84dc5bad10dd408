import { realpath } from 'node:fs/promises'
import { relative } from 'node:path'

/** Where a path lies as a directory sees it, wherever links lead. */
export type Position = 'same' | 'beneath' | 'above' | 'apart'

/** Rejects with the file system's error unless both exist. */
export async function positionOf(path: string, directory: string): Promise<Position> {
  const [inner, outer] = await Promise.all([realpath(path), realpath(directory)])
  if (inner === outer) return 'same'
  if (leadsDown(relative(outer, inner))) return 'beneath'
  return leadsDown(relative(inner, outer)) ? 'above' : 'apart'
}

/** Whether `path` lies in `directory` and is not that itself. Rejects with the file system's error unless both exist. */
export async function isBeneath(path: string, directory: string): Promise<boolean> {
  return (await positionOf(path, directory)) === 'beneath'
}

function leadsDown(way: string): boolean {
  return way !== '..' && !way.startsWith('../')
}
