import { readFile } from 'node:fs/promises'

/** A small file as text; undefined where there is none. Rejects with the file system's error otherwise. */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
