import type { Logger } from 'pino'
import { UsageError, loadConfig, type Command, type Config } from './config.ts'
import { endWithCrashes } from './crash.ts'
import type { Gateway } from './gateway.ts'
import { createLogger } from './log.ts'
import { reachable, startUpLines } from './start-up.ts'
import { versionText } from './version.ts'
import { oneProcess } from './workers/one-process.ts'

/** How long requests may take to finish once the gateway has been told to stop. */
const GRACE_MS = 10_000

/** Told once, when the gateway answers: what it was told to be and where it is. */
export type OnListening = (
  config: Config,
  urls: readonly string[],
  viewerUrl: string | undefined,
) => void

/** Command line and environment in, a listening gateway out. What fails on the way is one line and exit code 1. */
export async function main(argv: readonly string[], onListening?: OnListening): Promise<void> {
  // A reader of our output that goes away is no reason to stop serving.
  process.stdout.on('error', () => undefined)
  try {
    const command = await loadConfig(argv)
    if (command.kind === 'serve') await serve(command.config, onListening)
    else process.stdout.write(await run(command))
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n`)
      process.exit(error.exitCode)
    }
    process.stderr.write(`${timestamp(new Date())} ${explain(error)}\n`)
    process.exit(1)
  }
}

/** Everything but serving: what it prints. Loaded only when asked for. */
async function run(command: Exclude<Command, { kind: 'serve' }>): Promise<string> {
  if (command.kind === 'version') return versionText()
  if (command.kind === 'help') return `${command.text}\n`
  if (command.kind === 'completion') {
    await command.print()
    return ''
  }
  if (command.kind === 'admin') {
    const { runAdmin } = await import('./admin/client/run.ts')
    return runAdmin(command.command)
  }
  const { runTool } = await import('./tools/run.ts')
  return runTool(command.command)
}

async function serve(config: Config, onListening: OnListening | undefined): Promise<void> {
  // Loaded only now, so that help and start-up errors answer at once.
  const { createGateway } = await import('./gateway.ts')
  const log = await createLogger(config.logLevel)
  const workers = oneProcess((question, error) =>
    log.error({ err: error, question }, 'a question to this process could not be answered'),
  )
  const gateway = await createGateway(config, log, workers)
  obeySignals(gateway, log)
  endWithCrashes(gateway, log)
  await gateway.listen()
  const urls = gateway.urls.map(reachable)
  const adminUrls = gateway.adminUrls.map(reachable)
  const viewerUrl = gateway.viewerUrl === undefined ? undefined : reachable(gateway.viewerUrl)
  if (!config.quiet)
    process.stdout.write(`${startUpLines(config, { urls, adminUrls, viewerUrl }).join('\n')}\n`)
  onListening?.(config, urls, viewerUrl)
}

function obeySignals(gateway: Gateway, log: Logger): void {
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
    reloaded = reloaded.then(() => gateway.reload())
  })
}

/** As Go's log package: `2026/11/21 10:05:00`, local time. */
function timestamp(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** One line, whatever went wrong. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port, address }: NodeJS.ErrnoException & { port?: number; address?: string } = error
  if (code === 'EADDRINUSE') {
    const place = port === undefined || port < 0 ? socketName(address) : `port ${port}`
    return `${place} is in use: choose another with --port`
  }
  return error.message.replaceAll('\n', ' ')
}

function socketName(path = ''): string {
  return `socket ${path.replace(/^\0/, '@')}`
}
