import type { Logger } from 'pino'
import { adminOperations, noAdminRoute } from './admin/index.ts'
import { createAuthenticator, type Authenticator } from './auth/authenticate.ts'
import type { KnownAccount } from './auth/iam/account-cache.ts'
import { createIam, type AccountChange, type Iam } from './auth/iam/iam.ts'
import { selectStore } from './auth/iam/select.ts'
import { FailureCounts } from './auth/failure-counts.ts'
import { FailureNews, type FailureNote } from './auth/failure-news.ts'
import { createStoredPolicies } from './auth/policy/stored-policies.ts'
import { slowFailures } from './auth/slow-failures.ts'
import type { AdminConfig, Config } from './config.ts'
import { BackendHealth } from './http/backend-health.ts'
import { DocumentParser } from './http/document-parser.ts'
import { isBeneath } from './io/beneath.ts'
import type { Io } from './io/io.ts'
import { mountOf } from './io/mount-of.ts'
import { createIo } from './io/native.ts'
import { RotatingFile } from './io/rotating-file.ts'
import { readTlsFiles } from './io/tls-files.ts'
import { openSharedFile } from './io/shared-file.ts'
import { readSyscalls } from './io/syscalls.ts'
import type { HttpServers } from './http/server.ts'
import type { ServiceCounts } from './metrics/gather.ts'
import { measure } from './metrics/measure.ts'
import { openMetrics } from './metrics/open.ts'
import { RequestMetrics } from './metrics/request-metrics.ts'
import { prepareRuntime } from './runtime.ts'
import { attributeNotices, openAttributes, openBackend } from './storage.ts'
import { checkTracingFile } from './tracing-file.ts'
import { readTracingTls, reloadTracingTls } from './tracing-tls.ts'
import { createStoredCors } from './s3/cors/stored-cors.ts'
import { operations } from './s3/operations/index.ts'
import { createRouter } from './s3/route.ts'
import { createErrorReports, type ErrorReports } from './sentry/error-reports.ts'
import { openService, type Service, type SharedParts } from './service.ts'
import { opening } from './start-error.ts'
import { createTracing, type Tracing } from './trace/tracing.ts'
import { GATEWAY_VERSION } from './version.ts'
import {
  createViewerTraces,
  openViewer,
  type OpenViewer,
  type ViewerTraces,
} from './viewer/open.ts'
import { readPageFiles } from './viewer/page-files.ts'
import type { ThreadedTraces } from './viewer/threaded-traces.ts'
import { createTraceSource } from './viewer/trace-source.ts'
import type { ServingProcess } from './workers/workers.ts'

/** What serves, in this process or in others. */
export interface Serving {
  listen(): Promise<void>
  /** Takes anew what an operator may have changed under it, certificates and keys; what to say of it. Never rejects. */
  reload(): Promise<readonly string[]>
  /** Lets requests in flight finish for `graceMs`, flushes traces, ends the I/O pool. */
  close(graceMs: number): Promise<void>
  /** Reports what nobody caught, and sends what is known by then, for `limitMs` at most: this process is about to end. */
  crashed(thrown: unknown, origin: string, limitMs: number): Promise<void>
  /** Where clients reach it, once it listens. */
  readonly urls: readonly string[]
  /** Where the admin API has listeners of its own. */
  readonly adminUrls: readonly string[]
  /** Where the trace viewer is, with its token where it has one; secret then. */
  readonly viewerUrl: string | undefined
  /** Where Prometheus finds `/metrics`. */
  readonly metricsUrls: readonly string[]
}

/** Everything that serves, put together. */
export interface Gateway extends Serving {
  /** What VersityGW says on standard output when it starts, be it quiet or not. */
  readonly notices: readonly string[]
}

/**
 * Builds the gateway from the bottom up and passes each part to those above it; nothing else constructs or looks up a
 * part. Throws where the directory cannot be served or the addon is missing.
 */
export async function createGateway(
  config: Config,
  log: Logger,
  workers: ServingProcess,
): Promise<Gateway> {
  prepareRuntime()
  const io = createIo({
    threads: config.posix.ioThreads,
    followSymlinks: config.posix.followSymlinks,
    attributes: await openAttributes(config),
    direct: config.posix.direct,
    copyBufferBytes: config.posix.ioBufferSize,
    syscalls: config.tracing.depth === 'syscall',
  })
  const backend = await openBackend(config, io)
  const { iam, notice } = await openIam(config, { io, log, workers })
  const onViewerFault = (error: unknown): void =>
    log.error({ err: error }, 'the trace viewer failed')
  const traces = config.viewer && createViewerTraces(config.viewer, onViewerFault)
  const tracing = await openTracing(config, log, traces)
  const reports = await openReports(config, log)
  const authenticator = openAuthenticator(config, iam, { log, workers })
  const caches = { policies: createStoredPolicies(), cors: createStoredCors() }
  const documents = new DocumentParser()
  const parts = {
    config,
    io,
    backend,
    iam,
    authenticator,
    ...caches,
    tracing,
    log,
    reports,
    documents,
    metrics: config.metrics && new RequestMetrics(),
    backendHealth: new BackendHealth(backend.type),
  }
  const s3 = await openS3(parts)
  const admin = config.admin === undefined ? undefined : await openAdmin(parts, config.admin)
  const viewer =
    traces === undefined ? undefined : await openTraceViewer(parts, traces.held, workers)
  const metrics = openMeasuring(parts, workers, admin === undefined ? [s3] : [s3, admin])
  return asOne(parts, {
    s3,
    admin,
    viewer,
    metrics,
    notices: [...attributeNotices(config), notice],
  })
}

interface Listening {
  readonly s3: Service
  readonly admin: Service | undefined
  readonly viewer: OpenViewer | undefined
  readonly metrics: Measuring | undefined
  readonly notices: Gateway['notices']
}

/** What is made of the parts, and in which order they end. */
function asOne(
  { config, tracing, reports, iam, backend, io, log }: SharedParts,
  { s3, admin, viewer, metrics, notices }: Listening,
): Gateway {
  const services = admin === undefined ? [s3] : [s3, admin]
  let urls: readonly string[] = []
  let adminUrls: readonly string[] = []
  let metricsUrls: readonly string[] = []
  return {
    async listen() {
      urls = await opening('--port', async () => s3.listen())
      adminUrls = await opening('--admin-port', async () => (await admin?.listen()) ?? [])
      await opening('--viewer', async () => viewer?.listen())
      const listenForMetrics = async () => (await metrics?.listener?.listen()) ?? []
      metricsUrls = await opening('--metrics-port', listenForMetrics)
    },
    async reload() {
      const lines = []
      for (const service of services) lines.push(await service.reloadTls())
      await reloadViewerTls(config, viewer)
      lines.push(await reloadTracingTls(config, tracing, log))
      return lines.filter((line) => line !== undefined)
    },
    async close(graceMs) {
      metrics?.end()
      await Promise.all([
        viewer?.close(),
        metrics?.listener?.close(0),
        ...services.map((service) => service.close(graceMs)),
      ])
      await Promise.all([tracing.close(), reports?.close(REPORTS_LIMIT_MS)])
      await iam.close()
      await backend.close()
      await io.close()
      for (const service of services) service.flush()
    },
    async crashed(thrown, origin, limitMs) {
      reports?.crashed(thrown, origin)
      await within(limitMs, Promise.all([tracing.flush(), reports?.close(limitMs)]))
    },
    get urls() {
      return urls
    },
    get adminUrls() {
      return adminUrls
    },
    get viewerUrl() {
      return viewer?.url
    },
    get metricsUrls() {
      return metricsUrls
    },
    notices,
  }
}

async function openTracing(
  config: Config,
  log: Logger,
  traces: ViewerTraces | undefined,
): Promise<Tracing> {
  await checkTracingFile(config)
  return createTracing(config.tracing, {
    recent: traces?.held.recent,
    activity: traces?.held.activity,
    loopLag: traces?.loopLag,
    readSyscalls,
    tls: await readTracingTls(config),
    openFile: (file) => new RotatingFile(file),
    log: (level, message) => log[level](message),
  })
}

interface Measuring {
  /** Of several workers their primary has it. */
  readonly listener: HttpServers | undefined
  readonly end: () => void
}

function openMeasuring(
  { config, metrics, io, tracing, iam, backendHealth, reports, log }: SharedParts,
  workers: ServingProcess,
  services: readonly Service[],
): Measuring | undefined {
  if (metrics === undefined || config.metrics === undefined) return undefined
  const counts = (): readonly ServiceCounts[] => services.map((service) => service.counts)
  const health = [iam.health, backendHealth.health]
  const end = measure(workers, metrics, { io, tracing, health, reports, services: counts })
  const { socketMode } = config
  const onFault = (error: unknown): void => log.error({ err: error }, 'metrics failed')
  const listener =
    config.workers > 1
      ? undefined
      : openMetrics({ ...config.metrics, socketMode, workers, onFault })
  return { listener, end }
}

/** How long stopping waits for reports that have not left. */
const REPORTS_LIMIT_MS = 3000

async function openReports(
  { sentry, tracing }: Config,
  log: Logger,
): Promise<ErrorReports | undefined> {
  if (sentry === undefined) return undefined
  // Loaded only where it is used: it takes a third of a second and 30 MB.
  const { openSentry } = await import('./sentry/sentry.ts')
  const { environment } = tracing
  const client = await openSentry({ ...sentry, environment, release: GATEWAY_VERSION })
  return createErrorReports(client, (facts, message) => log.warn(facts, message))
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, limitMs)))])
  clearTimeout(timer)
}

/** One for all listeners and all workers: whoever fails at one is slowed at the others. */
function openAuthenticator(
  { region, sigv2 }: Config,
  accounts: Iam,
  { log, workers }: { readonly log: Logger; readonly workers: ServingProcess },
): Authenticator {
  const counts = new FailureCounts()
  workers.answer(FAILURES, (notes) => {
    for (const note of notes as readonly FailureNote[]) counts.addElsewhere(note)
  })
  return slowFailures(createAuthenticator({ accounts, region, sigv2 }), {
    accounts,
    counts,
    news: new FailureNews((notes) => workers.tell(FAILURES, notes)),
    log: (level, facts, message) => log[level](facts, message),
  })
}

function openS3(parts: SharedParts): Promise<Service> {
  const { config, iam } = parts
  const besideBuckets = config.admin === undefined ? adminOperations(iam, true) : []
  return openService(parts, {
    router: createRouter([...besideBuckets, ...operations]),
    accessLabel: 'vgw',
    serverLabel: 'srv',
    listeners: config.listeners,
    tls: config.tls,
    maxConnections: config.limits.maxConnections,
    maxRequests: config.limits.maxRequests,
    healthPath: config.healthPath,
  })
}

/** The admin API on listeners of its own. */
function openAdmin(parts: SharedParts, admin: AdminConfig): Promise<Service> {
  return openService(parts, {
    ...admin,
    router: createRouter(adminOperations(parts.iam, false), noAdminRoute),
    accessLabel: 'adm',
    serverLabel: 'admSrv',
    healthPath: undefined,
  })
}

/** The trace viewer, with the certificate of the S3 listeners where they have one. */
async function openTraceViewer(
  { config, iam, tracing, log }: SharedParts,
  traces: ThreadedTraces,
  workers: ServingProcess,
): Promise<OpenViewer | undefined> {
  const place = await mountOf(config.posix.directory)
  traces.describe({ resource: tracing.resource, place, worker: workers.number })
  const source = createTraceSource(traces, workers)
  // Of several workers one has the viewer, and asks the others.
  if (config.viewer === undefined || workers.number !== 1) return undefined
  return openViewer(config.viewer, {
    source,
    accounts: iam,
    tls: config.tls === undefined ? undefined : await readTlsFiles(config.tls),
    about: {
      version: GATEWAY_VERSION,
      depth: config.tracing.depth,
      sampleRate: config.tracing.sampleRate,
    },
    files: await readPageFiles(),
    onFault: (error) => log.error({ err: error }, 'the trace viewer failed'),
  })
}

/** Where it fails the S3 listeners' log line says so, for the files are theirs. */
async function reloadViewerTls({ tls }: Config, viewer: OpenViewer | undefined): Promise<void> {
  if (tls === undefined || viewer === undefined) return
  try {
    viewer.setTls(await readTlsFiles(tls))
  } catch {
    // The old pair stays.
  }
}

/** Opens the account store that is configured; the notice says which it is. */
async function openIam(
  config: Config,
  { io, log, workers }: { readonly io: Io; readonly log: Logger; readonly workers: ServingProcess },
): Promise<{ readonly iam: Iam; readonly notice: string }> {
  const { store, notice } = await selectStore({
    internal: config.iam.internal,
    remote: config.iam.remote,
    openFile: async (directory, name) => {
      // The served directory itself is fine, and usual: what is no directory in it is no bucket.
      if (await isBeneath(directory, config.posix.directory))
        throw new Error('it lies in a bucket, where it would be an object')
      return openSharedFile(io, directory, name)
    },
  })
  const iam = createIam({
    root: config.root,
    store,
    cache: {
      ...config.iam.cache,
      elsewhere: async (access) => {
        const { answers } = await workers.ask(KNOWN_ACCOUNT, access, { others: true })
        return answers.map(({ value }) => value as KnownAccount | undefined).find(Boolean)
      },
    },
    debug: config.iam.debug,
    log: (level, facts, message) => log[level](facts, message),
    async tellOthers(change) {
      const { silent } = await workers.ask(ACCOUNT_CHANGED, change, { others: true })
      // One that is not there has nothing to forget.
      const deaf = silent.filter(({ reason }) => reason !== 'gone')
      if (deaf.length === 0) return
      log.warn(
        { workers: deaf },
        'workers were not told of a changed account; they look it up when its time is over',
      )
    },
  })
  workers.answer(ACCOUNT_CHANGED, (change) => iam.onChangedElsewhere(change as AccountChange))
  workers.answer(KNOWN_ACCOUNT, (access) => iam.known(access as string))
  return { iam, notice }
}

/** Questions among workers: only our own processes ask them. */
const ACCOUNT_CHANGED = 'iam.account-changed'
const KNOWN_ACCOUNT = 'iam.known-account'
const FAILURES = 'auth.failures'
