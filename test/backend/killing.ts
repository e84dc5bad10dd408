import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { KILL } from '../../src/io/faults.ts'

const PROGRAM = fileURLToPath(new URL('programs/killed.mjs', import.meta.url))

/** A call of a backend; `{ bytes: { letter, length } }` stands for a body. */
export interface Request {
  readonly method: 'putObject' | 'copyObject' | 'deleteObject' | 'createBucket' | 'completeUpload'
  readonly args: readonly unknown[]
}

/** Where, and how. */
export interface Place {
  readonly root: string
  readonly useTmpFile: boolean
  readonly durability: 'full' | 'none'
  readonly sidecar?: boolean
  readonly multipartLayout?: 'slots'
  readonly versioningDirectory?: string
}

/** Runs `one` with 0, 1, 2 … until it answers true, a few at a time; gives back with which it did. */
export async function each(one: (after: number) => Promise<boolean>, atOnce = 3): Promise<number> {
  for (let from = 0; ; from += atOnce) {
    const ended = await Promise.all(Array.from({ length: atOnce }, (_, i) => one(from + i)))
    const first = ended.indexOf(true)
    if (first >= 0) return from + first
  }
}

/** Does it in a process that is killed before its system call number `after`; true where it came to its end before. */
export function runKilled(place: Place, after: number, request: Request): Promise<boolean> {
  const { root, sidecar, ...how } = place
  const options = { ...how, directory: root, dirMode: 0o755, useCopyFileRange: true }
  return new Promise((resolve, reject) => {
    const argument = JSON.stringify({
      options,
      ...(sidecar === true && { sidecar: `${root}.sidecar` }),
      fault: { errno: KILL, after },
      request,
    })
    execFile(process.execPath, [PROGRAM, argument], (error, stdout, stderr) => {
      if (error === null && stdout === 'done') resolve(true)
      else if (error?.signal === 'SIGKILL') resolve(false)
      else reject(new Error(`${error?.message} ${stdout} ${stderr}`))
    })
  })
}
