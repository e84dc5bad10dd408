import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { Serving } from './gateway.ts'
import { clearSocketFile, sharedPlaces } from './http/places.ts'
import type { HttpServers } from './http/server.ts'
import { openSocket } from './io/unix-socket.ts'
import { openMetrics } from './metrics/open.ts'
import { ProcessMetrics } from './metrics/process-metrics.ts'
import { opening } from './start-error.ts'
import { RELOAD, type UpFacts, type WorkerTask } from './worker-task.ts'
import { Supervisor } from './workers/supervisor.ts'

/** Beyond the time that requests have to finish: for traces to leave. */
const FLUSH_MS = 1000

/**
 * The gateway of several workers, in the process that supervises them. It serves nothing itself: it binds the sockets and
 * hands connections out, which node:cluster does, and everything else is the workers'.
 */
export async function createPrimary(
  given: Config,
  log: Logger,
  onNotices: (notices: readonly string[]) => void,
): Promise<Serving> {
  const config = await withSharedPlaces(given)
  const { socketMode } = config
  const umask = process.umask()
  // The sockets of all workers are made in this process, which makes no other file.
  if (socketMode !== undefined) process.umask(0o777 & ~socketMode)
  let facts: UpFacts | undefined
  const supervisor = new Supervisor({
    program: fileURLToPath(new URL('worker.js', import.meta.url)),
    count: config.workers,
    task: (number): WorkerTask => ({ config: shareOf(config, number) }),
    async fork(make) {
      // With the last worker the sockets have gone, and may have left their files.
      if (supervisor.isDeserted) await clearSocketFiles(config)
      const own = process.umask(umask)
      make()
      process.umask(own)
    },
    output: process.stdout.isTTY ? undefined : process.stdout,
    onBuilt: (notices) => onNotices(notices as readonly string[]),
    onUp: (told) => (facts = told as UpFacts),
    log: (level, fields, message) => log[level](fields, message),
  })
  const metrics = openPrimaryMetrics(config, supervisor, log)
  let metricsUrls: readonly string[] = []
  return {
    async listen() {
      await supervisor.start()
      const listenForMetrics = async () => (await metrics?.listener.listen()) ?? []
      metricsUrls = await opening('--metrics-port', listenForMetrics)
      // A directory with a default ACL has no ear for the umask.
      if (socketMode !== undefined)
        for (const path of socketFiles(config)) await openSocket(path, socketMode)
    },
    async reload() {
      const { answers, silent } = await supervisor.ask(RELOAD, undefined, { timeoutMs: 10_000 })
      if (silent.length > 0) log.error({ workers: silent }, 'workers did not reload')
      const lines = answers.map(({ value }) => value as readonly string[])
      // What one of them could not do is in its log, and is not said to be done.
      return (lines[0] ?? []).filter((line) => lines.every((all) => all.includes(line)))
    },
    async close(graceMs) {
      metrics?.end()
      await Promise.all([metrics?.listener.close(0), supervisor.stop(graceMs + FLUSH_MS)])
    },
    // Of what its workers know this process knows nothing: its own end is a line of the log.
    crashed: () => Promise.resolve(),
    get urls() {
      return facts?.urls ?? []
    },
    get adminUrls() {
      return facts?.adminUrls ?? []
    },
    get viewerUrl() {
      return facts?.viewerUrl
    },
    get metricsUrls() {
      return metricsUrls
    },
  }
}

function openPrimaryMetrics(
  { metrics, socketMode }: Config,
  supervisor: Supervisor,
  log: Logger,
): { readonly listener: HttpServers; readonly end: () => void } | undefined {
  if (metrics === undefined) return undefined
  const own = new ProcessMetrics()
  const listener = openMetrics({
    ...metrics,
    socketMode,
    workers: supervisor,
    own: () => own.read(),
    restarts: () => supervisor.restarts,
    onFault: (error) => log.error({ err: error }, 'metrics failed'),
  })
  return { listener, end: () => own.close() }
}

async function withSharedPlaces(config: Config): Promise<Config> {
  const { admin } = config
  return {
    ...config,
    listeners: await opening('--port', () => sharedPlaces(config.listeners)),
    admin: admin && {
      ...admin,
      listeners: await opening('--admin-port', () => sharedPlaces(admin.listeners)),
    },
  }
}

/** A worker's part of the limits, which together are those that were set. */
function shareOf(config: Config, number: number): Config {
  const share = (total: number): number =>
    Math.max(1, Math.floor((total + config.workers - number) / config.workers))
  const { limits, admin, posix } = config
  return {
    ...config,
    limits: {
      ...limits,
      maxConnections: share(limits.maxConnections),
      maxRequests: share(limits.maxRequests),
    },
    admin: admin && {
      ...admin,
      maxConnections: share(admin.maxConnections),
      maxRequests: share(admin.maxRequests),
    },
    posix: { ...posix, concurrency: share(posix.concurrency) },
  }
}

/** Where a file cannot be cleared away the worker that is to bind it will say so. */
async function clearSocketFiles(config: Config): Promise<void> {
  for (const path of socketFiles(config)) await clearSocketFile(path).catch(() => undefined)
}

function socketFiles({ listeners, admin }: Config): readonly string[] {
  return [...listeners, ...(admin?.listeners ?? [])].flatMap((place) =>
    'path' in place && !place.path.startsWith('\0') ? [place.path] : [],
  )
}
