import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new directory of the system's for temporary files. */
export function makeScratch(prefix: string): Promise<string> {
  return mkdtemp(join(tmpdir(), prefix))
}

export async function removeScratch(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true, maxRetries: 3 })
}

/** Makes a directory of so many empty files. */
export async function fillDirectory(directory: string, files: number): Promise<void> {
  await mkdir(directory, { recursive: true })
  for (let from = 0; from < files; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, files - from) }, (_, i) => from + i)
    await Promise.all(
      batch.map((number) =>
        writeFile(join(directory, `file-${String(number).padStart(6, '0')}`), ''),
      ),
    )
  }
}

const BATCH = 200
