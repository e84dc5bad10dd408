import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import { createAuthenticator } from './auth/authenticate.ts'
import { createIam, type Iam } from './auth/iam/iam.ts'
import { selectStore } from './auth/iam/select.ts'
import { createStoredPolicies } from './auth/policy/stored-policies.ts'
import { slowFailures } from './auth/slow-failures.ts'
import { createPosixBackend } from './backend/posix/index.ts'
import type { Config } from './config.ts'
import { createAccessLog } from './http/access-line.ts'
import { createApp } from './http/app.ts'
import { DocumentParser } from './http/document-parser.ts'
import { createS3Server, type S3Server } from './http/exchange.ts'
import { createServers, type HttpServers } from './http/server.ts'
import type { Io } from './io/io.ts'
import { createIo } from './io/native.ts'
import { openSharedFile } from './io/shared-file.ts'
import { readSyscalls } from './io/syscalls.ts'
import { readTlsFiles } from './io/tls-files.ts'
import { prepareRuntime } from './runtime.ts'
import { operations } from './s3/operations/index.ts'
import { createPipeline } from './s3/pipeline.ts'
import { createRouter } from './s3/route.ts'
import { createTracing } from './trace/tracing.ts'

/** Everything that serves, put together. */
export interface Gateway {
  listen(): Promise<void>
  /** Lets requests in flight finish for `graceMs`, flushes traces, ends the I/O pool. */
  close(graceMs: number): Promise<void>
  /** Where clients reach it, once it listens. */
  readonly urls: readonly string[]
}

/** Largest object one request may carry, as with S3. */
const MAX_OBJECT_BYTES = 5 * 1024 ** 3

/** How often answers are looked at whose client may have stopped reading. */
const SWEEP_MS = 5000

/**
 * Builds the gateway from the bottom up and passes each part to those above it; nothing else constructs or looks up a
 * part. Throws where the directory cannot be served or the addon is missing.
 */
export async function createGateway(config: Config, log: Logger): Promise<Gateway> {
  prepareRuntime()
  const io = createIo({
    threads: config.posix.ioThreads,
    followSymlinks: config.posix.followSymlinks,
    syscalls: config.tracing.depth === 'syscall',
  })
  const backend = await createPosixBackend({ ...config.posix, io })
  const iam = await openIam(config, io, log)
  const tracing = createTracing(config.tracing, {
    readSyscalls,
    log: (level, message) => log[level](message),
  })
  const pipeline = createPipeline({
    router: createRouter(operations),
    authenticator: slowFailures(createAuthenticator({ accounts: iam, region: config.region }), {
      accounts: iam,
      log: (level, facts, message) => log[level](facts, message),
    }),
    accounts: iam,
    backend,
    policies: createStoredPolicies(),
    settings: config,
  })
  const accessLog = config.quiet ? undefined : createAccessLog(process.stdout)
  const s3 = createS3Server({
    pipeline,
    documents: new DocumentParser(),
    tracing,
    io,
    log,
    accessLog,
    virtualDomain: config.virtualDomain,
    keepAlive: config.keepAlive,
    maxRequests: config.limits.maxRequests,
    stallMs: config.limits.stallTimeoutMs,
    maxObjectSize: MAX_OBJECT_BYTES,
  })
  const servers = await openServers(config, s3, log)
  const sweeper = setInterval(() => s3.sweep(), SWEEP_MS).unref()
  let urls: readonly string[] = []
  return {
    async listen() {
      urls = await servers.listen()
    },
    async close(graceMs) {
      clearInterval(sweeper)
      await servers.close(graceMs)
      await tracing.close()
      await iam.close()
      await backend.close()
      await io.close()
      accessLog?.flush()
    },
    get urls() {
      return urls
    },
  }
}

async function openServers(config: Config, s3: S3Server, log: Logger): Promise<HttpServers> {
  const serveS3 = (incoming: IncomingMessage, outgoing: ServerResponse): void =>
    s3.serve(incoming, outgoing)
  return createServers({
    listeners: config.listeners,
    socketMode: config.socketMode,
    tls: config.tls === undefined ? undefined : await readTlsFiles(config.tls),
    maxConnections: config.limits.maxConnections,
    headerTimeoutMs: config.limits.headerTimeoutMs,
    idleTimeoutMs: config.limits.idleTimeoutMs,
    onRequest: createApp({ healthPath: config.healthPath, serveS3 }),
    onExpectContinue: (incoming, outgoing) => s3.serve(incoming, outgoing, true),
    onMalformed: (recorder, status, code) =>
      log.debug({ trace_id: recorder.traceId, status }, code),
  })
}

/** Opens the account store that is configured, and says on standard output which it is, as VersityGW does. */
async function openIam(config: Config, io: Io, log: Logger): Promise<Iam> {
  const { store, notice } = await selectStore({
    internal: config.iam.internal,
    remote: config.iam.remote,
    openFile: (directory, name) => openSharedFile(io, directory, name),
  })
  process.stdout.write(`${notice}\n`)
  return createIam({
    root: config.root,
    store,
    cache: config.iam.cache,
    debug: config.iam.debug,
    log: (level, facts, message) => log[level](facts, message),
  })
}
