import { writeFile } from 'node:fs/promises'

/** Writes a small file, in place of what is there; rejects with the file system's error. */
export function writeTextFile(path: string, text: string): Promise<void> {
  return writeFile(path, text)
}
