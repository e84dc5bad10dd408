import type { ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { Authenticator } from './auth/authenticate.ts'
import type { Iam } from './auth/iam/iam.ts'
import type { Backend } from './backend/backend.ts'
import type { Config } from './config.ts'
import type { BackendHealth } from './http/backend-health.ts'
import type { ConnectionCounts } from './http/connections.ts'
import { createAccessLog } from './http/access-line.ts'
import { createApp } from './http/app.ts'
import type { DocumentParser } from './http/document-parser.ts'
import { createS3Server, type S3Server } from './http/exchange.ts'
import { createRequestLog } from './http/request-log.ts'
import type { RequestMessage } from './http/request-message.ts'
import { createServers, type HttpServers, type ServerOptions } from './http/server.ts'
import type { Io } from './io/io.ts'
import { readTlsFiles } from './io/tls-files.ts'
import type { ServiceCounts } from './metrics/gather.ts'
import type { RequestMetrics } from './metrics/request-metrics.ts'
import { createPipeline, type PipelineParts } from './s3/pipeline.ts'
import type { Router } from './s3/route.ts'
import type { ErrorReports } from './sentry/error-reports.ts'
import { correlationIds } from './trace/correlation.ts'
import type { Tracing } from './trace/tracing.ts'

/** Largest object one request may carry, as with S3. */
const MAX_OBJECT_BYTES = 5 * 1024 ** 3

/** How often answers are looked at whose client may have stopped reading. */
const SWEEP_MS = 5000

/** What every service of the gateway shares. */
export interface SharedParts {
  readonly config: Config
  readonly io: Io
  readonly backend: Backend
  readonly iam: Iam
  readonly authenticator: Authenticator
  readonly policies: PipelineParts['policies']
  readonly cors: PipelineParts['cors']
  readonly tracing: Tracing
  readonly log: Logger
  readonly reports: ErrorReports | undefined
  readonly documents: DocumentParser
  /** Counts requests, where metrics are wanted. */
  readonly metrics: RequestMetrics | undefined
  readonly backendHealth: BackendHealth
}

type OnMalformed = ServerOptions['onMalformed']

interface ServiceOptions {
  readonly router: Router
  /** What its lines of the access log begin with. */
  readonly accessLabel: 'vgw' | 'adm'
  /** What it is called where its certificate is reloaded. */
  readonly serverLabel: 'srv' | 'admSrv'
  readonly listeners: Config['listeners']
  readonly tls: Config['tls']
  readonly maxConnections: number
  readonly maxRequests: number
  readonly healthPath: string | undefined
}

/** Operations behind listeners of their own. */
export interface Service {
  listen(): Promise<readonly string[]>
  /**
   * Reads certificate and key anew; those in use stay where that fails, which the log tells. Never rejects. Resolves with the
   * line that tells of success.
   */
  reloadTls(): Promise<string | undefined>
  close(graceMs: number): Promise<void>
  /** Writes what is left of the access log. */
  flush(): void
  readonly counts: ServiceCounts
}

export async function openService(parts: SharedParts, options: ServiceOptions): Promise<Service> {
  const { config, io, backend, iam, authenticator, policies, cors, tracing, log, documents } = parts
  const pipeline = createPipeline({
    router: options.router,
    authenticator,
    accounts: iam,
    backend,
    policies,
    cors,
    settings: config,
  })
  const accessLog = config.quiet ? undefined : createAccessLog(process.stdout, options.accessLabel)
  const server = createS3Server({
    pipeline,
    documents,
    tracing,
    io,
    log,
    accessLog,
    metrics: parts.metrics,
    backendHealth: parts.backendHealth,
    requestLog: createRequestLog(log),
    reports: parts.reports,
    virtualDomain: config.virtualDomain,
    keepAlive: config.keepAlive,
    maxRequests: options.maxRequests,
    stallMs: config.limits.stallTimeoutMs,
    maxObjectSize: MAX_OBJECT_BYTES,
  })
  const connections: ConnectionCounts = { open: 0, accepted: 0, refused: 0 }
  const malformed = { count: 0 }
  const onMalformed = countMalformed(malformed, log)
  const servers = await openServers(config, { ...options, connections, onMalformed }, server)
  const sweeper = setInterval(() => server.sweep(), SWEEP_MS).unref()
  const close = (graceMs: number): Promise<void> => {
    clearInterval(sweeper)
    server.endConnections()
    return servers.close(graceMs)
  }
  return {
    close,
    listen: () => servers.listen(),
    reloadTls: () => reloadTls(servers, options, log),
    flush: () => accessLog?.flush(),
    counts: {
      listener: options.accessLabel === 'vgw' ? 's3' : 'admin',
      connections,
      get malformed() {
        return malformed.count
      },
      get inFlight() {
        return server.inFlight
      },
      get droppedLines() {
        return accessLog?.dropped ?? 0
      },
    },
  }
}

function countMalformed(counts: { count: number }, log: Logger): OnMalformed {
  return (recorder, status, code) => {
    counts.count++
    log.debug({ ...correlationIds(recorder.root), status }, code)
  }
}

async function openServers(
  config: Config,
  {
    listeners,
    tls,
    maxConnections,
    healthPath,
    connections,
    onMalformed,
  }: ServiceOptions & {
    readonly connections: ConnectionCounts
    readonly onMalformed: OnMalformed
  },
  server: S3Server,
): Promise<HttpServers> {
  const serveS3 = (incoming: RequestMessage, outgoing: ServerResponse): void =>
    server.serve(incoming, outgoing)
  return createServers({
    listeners,
    isShared: config.workers > 1,
    socketMode: config.socketMode,
    tls: tls === undefined ? undefined : await readTlsFiles(tls),
    maxConnections,
    connections,
    headerTimeoutMs: config.limits.headerTimeoutMs,
    idleTimeoutMs: config.limits.idleTimeoutMs,
    onRequest: createApp({ healthPath, serveS3 }),
    onExpectContinue: (incoming, outgoing) => server.serve(incoming, outgoing, true),
    onMalformed,
  })
}

/** What VersityGW prints, also with --quiet: scripts that renew certificates wait for it. */
async function reloadTls(
  servers: HttpServers,
  { tls, serverLabel }: ServiceOptions,
  log: Logger,
): Promise<string | undefined> {
  if (tls === undefined) return undefined
  try {
    servers.setTls(await readTlsFiles(tls))
  } catch (error) {
    log.error({ err: error }, `${serverLabel} cert reload failed`)
    return undefined
  }
  const { certFile, keyFile } = tls
  return `${serverLabel} cert reloaded (cert: ${certFile}, key: ${keyFile})`
}
