import { endWithCrashes } from './crash.ts'
import { createLogger } from './log.ts'
import { GRACE_MS } from './signals.ts'
import { explain } from './start-error.ts'
import { RELOAD, type UpFacts, type WorkerTask } from './worker-task.ts'
import { joinPrimary } from './workers/worker-link.ts'

// The program of a worker (`--workers`): it serves what its primary tells it to, and ends after it.
const link = joinPrimary()
process.stdout.on('error', () => undefined)
// A terminal tells all of its processes; what is to be done the primary says.
process.on('SIGINT', () => undefined)
process.on('SIGHUP', () => undefined)
const terminated = new Promise<void>((resolve) => process.on('SIGTERM', () => resolve()))

const { number, task } = await link.begun
try {
  await serve(number, task as WorkerTask)
} catch (error) {
  await link.tell({ kind: 'failed', message: explain(error) })
  process.exit(1)
}

async function serve(number: number, { config }: WorkerTask): Promise<void> {
  const { createGateway } = await import('./gateway.ts')
  const log = await createLogger(config.logLevel)
  const serving = link.serving(number, (question, error) =>
    log.error({ err: error, question }, 'a question to this worker could not be answered'),
  )
  const gateway = await createGateway(config, log, serving)
  serving.answer(RELOAD, () => gateway.reload())
  endWithCrashes(gateway, log)
  await link.tell({ kind: 'built', facts: gateway.notices })
  await link.listening
  await gateway.listen()
  const { urls, adminUrls, viewerUrl } = gateway
  await link.tell({ kind: 'up', facts: { urls, adminUrls, viewerUrl } satisfies UpFacts })
  void Promise.race([terminated, link.stopped]).then(async () => {
    setTimeout(() => process.exit(0), GRACE_MS + 1000).unref()
    await gateway.close(GRACE_MS).catch((error: unknown) => {
      log.error({ err: error }, 'shutting down failed')
      process.exit(1)
    })
    process.exit(0)
  })
}
