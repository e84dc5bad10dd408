import type { Logger } from 'pino'
import { UsageError, loadConfig, type Command, type Config } from './config.ts'
import { endWithCrashes } from './crash.ts'
import type { Serving } from './gateway.ts'
import { createLogger } from './log.ts'
import { obeySignals } from './signals.ts'
import { explain } from './start-error.ts'
import { reachable, startUpLines } from './start-up.ts'
import { versionText } from './version.ts'
import { oneProcess } from './workers/one-process.ts'

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
  if (command.kind === 'demo') {
    const { runDemo } = await import('./demo/run.ts')
    await runDemo(command.command)
    return ''
  }
  if (command.kind === 'viewer') {
    const { runViewerCommand } = await import('./viewer/client/run.ts')
    await runViewerCommand(command.command, process.stdout)
    return ''
  }
  const { runTool } = await import('./tools/run.ts')
  return runTool(command.command)
}

async function serve(config: Config, onListening: OnListening | undefined): Promise<void> {
  const log = await createLogger(config.logLevel)
  const gateway = await openGateway(config, log)
  obeySignals(gateway, log)
  endWithCrashes(gateway, log)
  await gateway.listen()
  const urls = gateway.urls.map(reachable)
  const adminUrls = gateway.adminUrls.map(reachable)
  const viewerUrl = gateway.viewerUrl === undefined ? undefined : reachable(gateway.viewerUrl)
  const metricsUrls = gateway.metricsUrls.map((url) => `${reachable(url)}/metrics`)
  if (!config.quiet)
    process.stdout.write(
      `${startUpLines(config, { urls, adminUrls, viewerUrl, metricsUrls }).join('\n')}\n`,
    )
  onListening?.(config, urls, viewerUrl)
}

/** In this process or, of several workers, one that only supervises. Loaded only now, so that help and errors answer at once. */
async function openGateway(config: Config, log: Logger): Promise<Serving> {
  if (config.workers > 1) {
    const { createPrimary } = await import('./primary.ts')
    return createPrimary(config, log, printNotices)
  }
  const { createGateway } = await import('./gateway.ts')
  const alone = oneProcess((question, error) =>
    log.error({ err: error, question }, 'a question to this process could not be answered'),
  )
  const gateway = await createGateway(config, log, alone)
  printNotices(gateway.notices)
  return gateway
}

function printNotices(notices: readonly string[]): void {
  for (const notice of notices) process.stdout.write(`${notice}\n`)
}

/** As Go's log package: `2026/11/21 10:05:00`, local time. */
function timestamp(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}
