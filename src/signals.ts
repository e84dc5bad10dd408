import type { Logger } from 'pino'
import type { Serving } from './gateway.ts'

/** How long requests may take to finish once the gateway has been told to stop. */
export const GRACE_MS = 10_000

/** SIGINT and SIGTERM end the process when `gateway` has closed, or a second after it should have; SIGHUP reloads. */
export function obeySignals(gateway: Pick<Serving, 'close' | 'reload'>, log: Logger): void {
  let stoppingSince: number | undefined
  const stop = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== undefined) {
      // npm passes on a Ctrl-C that the terminal has sent to us already; one that comes later is meant.
      if (Date.now() - stoppingSince > 1000) process.exit(1)
      return
    }
    stoppingSince = Date.now()
    process.stderr.write(`caught signal ${signal}\nterminating signal caught, shutting down\n`)
    setTimeout(() => process.exit(0), GRACE_MS + 1000).unref()
    gateway.close(GRACE_MS).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'shutting down failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  // One after the other: of two, what the later one reads counts.
  let reloaded = Promise.resolve()
  process.on('SIGHUP', () => {
    process.stderr.write('caught signal SIGHUP\n')
    reloaded = reloaded.then(async () => {
      for (const line of await gateway.reload()) process.stdout.write(`${line}\n`)
    })
  })
}
