import { resolve as resolvePath } from 'node:path'
import { readAdminCommand, type AdminCommand } from './config/admin-command.ts'
import { parseCommandLine, type CommandLine } from './config/command-line.ts'
import { isCompletion, printCompletion } from './config/completion.ts'
import { refuseWellKnown } from './config/default-credentials.ts'
import { readDemoCommand, type DemoCommand } from './config/demo-command.ts'
import { adminHelp, demoHelp, helpText, utilsHelp, viewerHelp } from './config/help.ts'
import { IAM_SETTINGS } from './config/iam-settings.ts'
import { IAM_STORE_SETTINGS } from './config/iam-store-settings.ts'
import { readIamStore } from './config/iam-store.ts'
import { LATER_COMMANDS, LATER_SETTINGS } from './config/later-settings.ts'
import { attributeStore, type AttributeStore } from './config/attribute-store.ts'
import { POSIX_SETTINGS } from './config/posix-settings.ts'
import { SENTRY_SETTINGS } from './config/sentry-settings.ts'
import { SERVER_SETTINGS } from './config/server-settings.ts'
import { readTable, resolve, type GivenFlags, type Setting, type Values } from './config/setting.ts'
import { TRACING_SETTINGS } from './config/tracing-settings.ts'
import { readTracing } from './config/tracing.ts'
import { readViewerCommand, type ViewerCommand } from './config/viewer-command.ts'
import { VIEWER_SETTINGS } from './config/viewer-settings.ts'
import { viewerConfig, type ViewerConfig } from './config/viewer.ts'
import { readUtilsCommand, type UtilsCommand } from './config/utils-command.ts'
import { ConfigError, UsageError, checkCollisions, type Environment } from './config/values.ts'
import type { Listener } from './http/listener.ts'
import type { RemoteStoreConfig } from './auth/iam/store-config.ts'
import type { TracingConfig } from './trace/tracing-config.ts'

export { ConfigError, UsageError }

/** All there is to set. A table row is a setting's only description: flag, variables, type, default and help. */
export const SETTINGS: readonly Setting<unknown>[] = [
  ...Object.values(SERVER_SETTINGS),
  ...Object.values(IAM_SETTINGS),
  ...Object.values(IAM_STORE_SETTINGS),
  ...Object.values(POSIX_SETTINGS),
  ...Object.values(TRACING_SETTINGS),
  ...Object.values(VIEWER_SETTINGS),
  ...Object.values(SENTRY_SETTINGS),
  ...LATER_SETTINGS,
]

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'serve'; readonly config: Config }
  | { readonly kind: 'admin'; readonly command: Extract<AdminCommand, { kind: 'run' }> }
  | { readonly kind: 'utils'; readonly command: Extract<UtilsCommand, { kind: 'run' }> }
  | { readonly kind: 'demo'; readonly command: Extract<DemoCommand, { kind: 'run' }> }
  | { readonly kind: 'viewer'; readonly command: Exclude<ViewerCommand, { kind: 'help' }> }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'completion'; readonly print: () => Promise<void> }

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

/** A gateway's settings, checked. Deeply frozen. */
export interface Config {
  readonly listeners: readonly Listener[]
  /** Of sockets in the file system; undefined leaves it to the umask. */
  readonly socketMode: number | undefined
  /** PEM files. */
  readonly tls: TlsConfig | undefined
  /** Listeners of the admin API's own; undefined where it is beside S3. */
  readonly admin: AdminConfig | undefined
  /** Listeners of the metrics; undefined where there are none. */
  readonly metrics: { readonly listeners: readonly Listener[] } | undefined
  readonly root: { readonly access: string; readonly secret: string }
  readonly region: string
  readonly sigv2: boolean
  readonly limits: Limits
  readonly keepAlive: boolean
  readonly healthPath: string | undefined
  readonly virtualDomain: string | undefined
  readonly corsAllowOrigin: string | undefined
  readonly readOnly: boolean
  readonly strictBucketNames: boolean
  readonly aclsEnabled: boolean
  readonly dialect: 'versitygw' | 'aws'
  readonly defaultOwnership: Values<typeof SERVER_SETTINGS>['defaultOwnership']
  readonly versioningEnabled: boolean
  readonly maxPartNumber: number
  readonly copyObjectThreshold: number
  /** Processes that serve; of several each is told its share of the limits. */
  readonly workers: number
  readonly logLevel: LogLevel
  readonly quiet: boolean
  readonly iam: IamConfig
  readonly posix: PosixConfig
  readonly tracing: TracingConfig
  readonly viewer: ViewerConfig | undefined
  /** Undefined where no errors are reported. */
  readonly sentry: { readonly dsn: string } | undefined
  /** Where values came from, for the start-up lines: `--flag`, a variable's name or `default`. */
  readonly sources: Sources
}

export interface TlsConfig {
  readonly certFile: string
  readonly keyFile: string
}

export interface AdminConfig {
  readonly listeners: readonly Listener[]
  readonly tls: TlsConfig | undefined
  readonly maxConnections: number
  readonly maxRequests: number
}

export interface Limits {
  readonly maxConnections: number
  readonly maxRequests: number
  readonly headerTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly stallTimeoutMs: number
}

/** Where accounts come from: the first configured store of contract 5.1, or root alone. */
export interface IamConfig {
  /** As given: VersityGW tells it so. */
  readonly internal: { readonly directory: string } | undefined
  readonly remote: RemoteStoreConfig | undefined
  readonly cache: {
    readonly ttlMs: number
    readonly staleMs: number
    readonly pruneMs: number
  }
  readonly debug: boolean
}

export interface PosixConfig {
  /** Absolute. */
  readonly directory: string
  /** Absolute. Where old versions go. */
  readonly versioningDirectory: string | undefined
  readonly durability: 'full' | 'none'
  readonly dirMode: number
  readonly chownUid: boolean
  readonly chownGid: boolean
  readonly bucketLinks: boolean
  readonly useTmpFile: boolean
  readonly useCopyFileRange: boolean
  readonly followSymlinks: boolean
  readonly attributes: AttributeStore
  readonly multipartLayout: 'parts' | 'slots'
  readonly direct: boolean
  readonly defaultEtag: string | undefined
  readonly integrityEtags: boolean
  readonly concurrency: number
  readonly ioThreads: number
  readonly ioBufferSize: number
}

type Table = typeof SERVER_SETTINGS &
  typeof IAM_SETTINGS &
  typeof IAM_STORE_SETTINGS &
  typeof POSIX_SETTINGS &
  typeof TRACING_SETTINGS &
  typeof VIEWER_SETTINGS &
  typeof SENTRY_SETTINGS
export type Sources = Readonly<Record<keyof Table, string>>

/** Reads command line and environment. Throws ConfigError with the one line that says what is wrong. */
export async function loadConfig(
  argv: readonly string[],
  env: Environment = process.env,
): Promise<Command> {
  if (isCompletion(argv))
    return { kind: 'completion', print: () => printCompletion(argv, SETTINGS) }
  const line = parseCommandLine(argv, SETTINGS)
  if (line.version) return { kind: 'version' }
  const other = await loadOther(line, env)
  if (other !== undefined) return other
  if (line.command !== undefined && LATER_COMMANDS.includes(line.command)) {
    throw new ConfigError(`${line.command}: not available yet`)
  }
  if (line.help || line.command !== 'posix') return { kind: 'help', text: await helpText(SETTINGS) }
  refuseUnavailable(line.flags, env)

  const server = readTable(SERVER_SETTINGS, line.flags, env)
  const iam = readTable({ ...IAM_SETTINGS, ...IAM_STORE_SETTINGS }, line.flags, env)
  const posix = readTable(POSIX_SETTINGS, line.flags, env)
  const tracing = readTracing(line.flags, env)
  const viewer = readTable(VIEWER_SETTINGS, line.flags, env)
  const sentry = readTable(SENTRY_SETTINGS, line.flags, env)
  const { access = '', secret = '' } = server.values
  if (access === '' || secret === '') {
    throw new ConfigError('root user access and secret key must be provided')
  }
  refuseWellKnown({ access, secret }, [...server.values.port, ...(server.values.adminPort ?? [])])
  const [directory, surplus] = line.operands
  if (directory === undefined || directory === '') {
    throw new ConfigError('no directory provided for operation')
  }
  if (surplus !== undefined) {
    throw new ConfigError(`only one directory can be served, not also "${surplus}"`)
  }

  const config: Config = {
    ...serverConfig(server.values),
    logLevel: logLevel(server),
    root: { access, secret },
    iam: iamConfig(iam.values),
    posix: posixConfig(posix.values, directory),
    versioningEnabled: posix.values.versioningDir !== undefined,
    tracing: tracing.config,
    viewer: viewerConfig(viewer.values, [
      ...server.values.port,
      ...(server.values.adminPort ?? []),
    ]),
    sentry: sentryConfig(sentry.values),
    sources: {
      ...server.sources,
      ...iam.sources,
      ...posix.sources,
      ...tracing.sources,
      ...viewer.sources,
      ...sentry.sources,
    },
  }
  return { kind: 'serve', config: deepFreeze(config) }
}

/** Commands that serve nothing. */
async function loadOther(line: CommandLine, env: Environment): Promise<Command | undefined> {
  if (line.help) return undefined
  if (line.command === 'admin') {
    const command = readAdminCommand(line.rest, line.flags, env)
    if (command.kind === 'run') return { kind: 'admin', command }
    return { kind: 'help', text: await adminHelp(command.action) }
  }
  if (line.command === 'demo') {
    const command = readDemoCommand(line.rest, env)
    if (command.kind === 'run') return { kind: 'demo', command }
    return { kind: 'help', text: await demoHelp() }
  }
  if (line.command === 'explain' || line.command === 'traces') {
    const command = readViewerCommand(line.command, line.rest, { global: line.flags, env })
    if (command.kind !== 'help') return { kind: 'viewer', command }
    return { kind: 'help', text: await viewerHelp(command.name) }
  }
  if (line.command === 'utils') {
    const command = readUtilsCommand(line.rest)
    if (command.kind === 'run') return { kind: 'utils', command }
    return { kind: 'help', text: await utilsHelp(command.name) }
  }
  return undefined
}

function refuseUnavailable(flags: GivenFlags, env: Environment): void {
  for (const setting of LATER_SETTINGS) {
    const { value, source } = resolve(setting, flags, env)
    if (value === undefined || value === false) continue
    const flag = `--${setting.flag ?? ''}`
    throw new ConfigError(
      `${source === flag ? flag : `${flag} (from ${source})`}: not available yet`,
    )
  }
}

function serverConfig(
  server: Values<typeof SERVER_SETTINGS>,
): Omit<
  Config,
  | 'root'
  | 'iam'
  | 'posix'
  | 'tracing'
  | 'viewer'
  | 'sentry'
  | 'sources'
  | 'versioningEnabled'
  | 'logLevel'
> {
  return {
    listeners: server.port,
    socketMode: server.socketPerm,
    tls: tlsConfig(['--cert', server.cert], ['--key', server.key]),
    admin: adminConfig(server),
    metrics: metricsConfig(server),
    region: server.region,
    sigv2: server.sigv2,
    limits: {
      maxConnections: server.maxConnections,
      maxRequests: server.maxRequests,
      headerTimeoutMs: server.headerTimeoutMs,
      idleTimeoutMs: server.idleTimeoutMs,
      stallTimeoutMs: server.stallTimeoutMs,
    },
    keepAlive: server.keepAlive,
    healthPath: server.health,
    virtualDomain: server.virtualDomain,
    corsAllowOrigin: server.corsAllowOrigin || undefined,
    readOnly: server.readonly,
    strictBucketNames: !server.disableStrictBucketNames,
    aclsEnabled: !server.disableAcl,
    dialect: server.dialect,
    defaultOwnership: server.defaultOwnership,
    maxPartNumber: server.mpMaxParts,
    copyObjectThreshold: server.copyObjectThreshold,
    workers: server.workers,
    quiet: server.quiet,
  }
}

type Server = ReturnType<typeof readTable<typeof SERVER_SETTINGS>>

/** Of --debug and --log-level the one that was said more to us counts, a flag before a variable of ours before OTEL_LOG_LEVEL. */
function logLevel({ values, sources }: Server): LogLevel {
  const { debug, logLevel } = values
  if (!debug) return logLevel ?? 'info'
  const rank = (source: string): number =>
    source.startsWith('--') ? 0 : source.startsWith('VGW_') ? 1 : 2
  return logLevel === undefined || rank(sources.debug) < rank(sources.logLevel) ? 'debug' : logLevel
}

function iamConfig(iam: Values<typeof IAM_SETTINGS & typeof IAM_STORE_SETTINGS>): IamConfig {
  const seconds = (number: number): number => (iam.iamCacheDisable ? 0 : number * 1000)
  const { iamDir = '' } = iam
  return {
    internal: iamDir === '' ? undefined : { directory: iamDir },
    remote: iamDir === '' ? readIamStore(iam) : undefined,
    cache: {
      ttlMs: seconds(iam.iamCacheTtl),
      staleMs: seconds(iam.iamCacheStale),
      pruneMs: iam.iamCachePrune * 1000,
    },
    debug: iam.iamDebug,
  }
}

function adminConfig(server: Values<typeof SERVER_SETTINGS>): AdminConfig | undefined {
  const { port, adminPort, adminCert, adminCertKey } = server
  const tls = tlsConfig(['--admin-cert', adminCert], ['--admin-cert-key', adminCertKey])
  if (adminPort === undefined) return undefined
  checkCollisions([...port, ...adminPort])
  return {
    listeners: adminPort,
    tls,
    maxConnections: server.adminMaxConnections,
    maxRequests: server.adminMaxRequests,
  }
}

function metricsConfig({
  port,
  adminPort = [],
  metricsPort,
}: Values<typeof SERVER_SETTINGS>): Config['metrics'] {
  if (metricsPort === undefined) return undefined
  checkCollisions([...port, ...adminPort, ...metricsPort])
  return { listeners: metricsPort }
}

type Given = readonly [flag: string, file: string | undefined]

function tlsConfig(
  [certFlag, cert = '']: Given,
  [keyFlag, key = '']: Given,
): TlsConfig | undefined {
  if ((cert === '') !== (key === ''))
    throw new ConfigError(`${certFlag} and ${keyFlag} need each other`)
  return cert === '' ? undefined : { certFile: resolvePath(cert), keyFile: resolvePath(key) }
}

function posixConfig(posix: Values<typeof POSIX_SETTINGS>, directory: string): PosixConfig {
  return {
    directory: resolvePath(directory),
    versioningDirectory:
      posix.versioningDir === undefined ? undefined : resolvePath(posix.versioningDir),
    durability: posix.durability,
    dirMode: posix.dirPerms,
    chownUid: posix.chuid,
    chownGid: posix.chgid,
    bucketLinks: posix.bucketlinks,
    useTmpFile: !posix.disableOtmp,
    useCopyFileRange: !posix.disableCopyFileRange,
    followSymlinks: posix.followSymlinks,
    attributes: attributeStore(posix),
    multipartLayout: posix.multipartLayout,
    direct: posix.enableOdirect,
    defaultEtag: posix.defaultEtag,
    integrityEtags: posix.dataIntegrityEtag,
    concurrency: posix.concurrency,
    ioThreads: posix.ioThreads,
    ioBufferSize: posix.ioBufferSize,
  }
}

function sentryConfig(sentry: Values<typeof SENTRY_SETTINGS>): Config['sentry'] {
  if (!sentry.sentryEnabled) return undefined
  if (sentry.sentryDsn === undefined) throw new ConfigError('--sentry-enabled needs --sentry-dsn')
  return { dsn: sentry.sentryDsn }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) deepFreeze(inner)
  }
  return value
}
