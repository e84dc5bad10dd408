import { realpath } from 'node:fs/promises'
import { relative } from 'node:path'

/** Whether `path` lies in `directory` and is not that itself, wherever links lead. Rejects with the file system's error unless both exist. */
export async function isBeneath(path: string, directory: string): Promise<boolean> {
  const [inner, outer] = await Promise.all([realpath(path), realpath(directory)])
  const way = relative(outer, inner)
  return way !== '' && way !== '..' && !way.startsWith('../')
}
