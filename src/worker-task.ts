import type { Config } from './config.ts'

/** What a primary tells a worker to do: to serve as it says there. */
export interface WorkerTask {
  readonly config: Config
}

/** What a worker says when it listens. */
export interface UpFacts {
  readonly urls: readonly string[]
  readonly adminUrls: readonly string[]
  readonly viewerUrl: string | undefined
}

/** What workers are asked on SIGHUP; they answer with the lines to be printed. */
export const RELOAD = 'reload'
