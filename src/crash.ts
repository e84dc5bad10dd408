import type { Logger } from 'pino'
import type { Gateway } from './gateway.ts'

/** How long a process that has crashed stays to tell of it. */
const LAST_WORDS_MS = 2000

/**
 * An exception or a rejection that nobody caught ends the process, as without us: what it was doing cannot be trusted any more.
 * Before that it is a line of the log (without what the error quotes, which Node would print) and a report.
 */
export function endWithCrashes(gateway: Pick<Gateway, 'crashed'>, log: Logger): void {
  let isEnding = false
  process.on('uncaughtException', (thrown: unknown, origin) => {
    log.fatal({ err: thrown }, origin)
    if (isEnding) process.exit(1)
    isEnding = true
    gateway.crashed(thrown, origin, LAST_WORDS_MS).then(
      () => process.exit(1),
      () => process.exit(1),
    )
  })
}
