import { pino, stdTimeFunctions, type Logger } from 'pino'
import type { LogLevel } from './config.ts'
import { errorFacts } from './error-facts.ts'

/**
 * The gateway's log, on standard output: a JSON object a line, or lines for people where it is a terminal. Lines about a
 * request carry its `trace_id`, `span_id` and `request_id` (`trace/correlation.ts`).
 */
export async function createLogger(level: LogLevel): Promise<Logger> {
  const options = {
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: errorFacts },
  }
  if (!process.stdout.isTTY) {
    const output = pino.destination({ dest: 1, sync: true })
    // Each line is written when it is logged. What could not be is tried again, by `fatal` without end: a process whose
    // reader has gone would never finish crashing.
    output.flushSync = () => undefined
    return pino(options, output)
  }
  const { default: pretty } = await import('pino-pretty')
  return pino(
    options,
    pretty({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', sync: true }),
  )
}
