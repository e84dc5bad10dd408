import { setting, toggle } from './setting.ts'
import {
  ConfigError,
  choice,
  duration,
  headerText,
  integer,
  listeners,
  octalMode,
  text,
  urlPath,
  type Environment,
} from './values.ts'

/** Settings of the gateway itself; on the command line they stand before the sub-command. */
export const SERVER_SETTINGS = {
  port: setting({
    flag: 'port',
    alias: 'p',
    env: 'VGW_PORT',
    form: 'many',
    parse: listeners,
    default: [{ host: undefined, port: 7070 }],
    help: 'where to listen: :port, host:port, [v6]:port, host, /path or ./path of a socket, @name of an abstract one (default :7070)',
  }),
  socketPerm: setting({
    flag: 'socket-perm',
    env: 'VGW_SOCKET_PERM',
    parse: octalMode,
    help: 'octal mode of the sockets in the file system (default: what the umask leaves)',
  }),
  access: setting({
    flag: 'access',
    alias: 'a',
    env: ['ROOT_ACCESS_KEY_ID', 'ROOT_ACCESS_KEY'],
    parse: text,
    help: 'access key of the root account',
  }),
  secret: setting({
    flag: 'secret',
    alias: 's',
    env: ['ROOT_SECRET_ACCESS_KEY', 'ROOT_SECRET_KEY'],
    parse: text,
    secret: true,
    help: 'secret key of the root account',
  }),
  region: setting({
    flag: 'region',
    alias: 'r',
    env: 'VGW_REGION',
    parse: text,
    default: 'us-east-1',
    help: 'region of signatures and of all buckets',
  }),
  cert: setting({
    flag: 'cert',
    env: 'VGW_CERT',
    parse: text,
    help: 'TLS certificate, a PEM file',
  }),
  key: setting({ flag: 'key', env: 'VGW_KEY', parse: text, help: 'TLS private key, a PEM file' }),
  maxConnections: setting({
    flag: 'max-connections',
    alias: 'mc',
    env: 'VGW_MAX_CONNECTIONS',
    parse: integer(1),
    default: 250_000,
    help: 'connections at a time; more are refused',
  }),
  maxRequests: setting({
    flag: 'max-requests',
    alias: 'mr',
    env: 'VGW_MAX_REQUESTS',
    parse: integer(1),
    default: 100_000,
    help: 'requests in flight; more are answered SlowDown',
  }),
  adminPort: setting({
    flag: 'admin-port',
    alias: 'ap',
    env: 'VGW_ADMIN_PORT',
    form: 'many',
    parse: listeners,
    help: 'where the admin API listens, as --port; without it, beside S3',
  }),
  adminCert: setting({
    flag: 'admin-cert',
    env: 'VGW_ADMIN_CERT',
    parse: text,
    help: 'TLS certificate of the admin port, a PEM file',
  }),
  adminCertKey: setting({
    flag: 'admin-cert-key',
    env: 'VGW_ADMIN_CERT_KEY',
    parse: text,
    help: 'its private key, a PEM file',
  }),
  adminMaxConnections: setting({
    flag: 'admin-max-connections',
    alias: 'amc',
    env: 'VGW_ADMIN_MAX_CONNECTIONS',
    parse: integer(1),
    default: 250_000,
    help: 'connections to the admin port at a time',
  }),
  adminMaxRequests: setting({
    flag: 'admin-max-requests',
    alias: 'amr',
    env: 'VGW_ADMIN_MAX_REQUESTS',
    parse: integer(1),
    default: 100_000,
    help: 'requests in flight at the admin port',
  }),
  headerTimeoutMs: setting({
    flag: 'header-timeout',
    env: 'VGW_HEADER_TIMEOUT',
    parse: duration,
    default: 60_000,
    help: 'time a client has to send the head of a request (default 60s)',
  }),
  idleTimeoutMs: setting({
    flag: 'idle-timeout',
    env: 'VGW_IDLE_TIMEOUT',
    parse: duration,
    default: 75_000,
    help: 'time a connection may stay open between requests (default 75s)',
  }),
  stallTimeoutMs: setting({
    flag: 'stall-timeout',
    env: 'VGW_STALL_TIMEOUT',
    parse: duration,
    default: 60_000,
    help: 'time in which no byte of a body moves before the request is ended (default 60s)',
  }),
  keepAlive: toggle({
    flag: 'keep-alive',
    env: 'VGW_KEEP_ALIVE',
    default: true,
    help: 'keep connections open between requests (--keep-alive=false: never)',
  }),
  health: setting({
    flag: 'health',
    env: 'VGW_HEALTH',
    parse: urlPath,
    help: 'path that answers OK, such as /health',
  }),
  virtualDomain: setting({
    flag: 'virtual-domain',
    alias: 'vd',
    env: 'VGW_VIRTUAL_DOMAIN',
    parse: text,
    help: 'domain below which the bucket is the first part of the host name',
  }),
  corsAllowOrigin: setting({
    flag: 'cors-allow-origin',
    env: 'VGW_CORS_ALLOW_ORIGIN',
    parse: headerText,
    help: 'origin whose pages may read answers about buckets without a CORS configuration; * is every page',
  }),
  readonly: toggle({
    flag: 'readonly',
    env: 'VGW_READ_ONLY',
    help: 'refuse everything that writes',
  }),
  disableStrictBucketNames: toggle({
    flag: 'disable-strict-bucket-names',
    env: 'VGW_DISABLE_STRICT_BUCKET_NAMES',
    help: 'allow bucket names that S3 does not',
  }),
  disableAcl: toggle({
    flag: 'disable-acl',
    alias: 'noacl',
    env: 'VGW_DISABLE_ACL',
    help: 'access by owner and policy alone: ACLs are neither set nor looked at',
  }),
  dialect: setting({
    flag: 'dialect',
    env: 'VGW_DIALECT',
    parse: choice('versitygw', 'aws'),
    default: 'versitygw',
    help: 'whose answers are given where the two differ in what clients rely on: versitygw or aws (see docs/compat.md)',
  }),
  defaultOwnership: setting({
    flag: 'default-object-ownership',
    env: 'VGW_DEFAULT_OBJECT_OWNERSHIP',
    parse: ownership,
    default: 'BucketOwnerEnforced',
    help: 'of buckets whose maker says nothing of it: BucketOwnerEnforced (no ACLs), BucketOwnerPreferred, ObjectWriter, or none',
  }),
  sigv2: toggle({
    flag: 'sigv2',
    env: 'VGW_SIGV2',
    help: 'take signatures of version 2 as well, for clients that know no other',
  }),
  mpMaxParts: setting({
    flag: 'mp-max-parts',
    env: 'VGW_MP_MAX_PARTS',
    parse: integer(1),
    default: 10_000,
    help: 'highest part number of a multipart upload',
  }),
  copyObjectThreshold: setting({
    flag: 'copy-object-threshold',
    env: 'VGW_COPY_OBJECT_THRESHOLD',
    parse: integer(1),
    default: 5 * 1024 ** 3,
    help: 'bytes of the largest object CopyObject copies',
  }),
  workers: setting({
    flag: 'workers',
    env: 'VGW_WORKERS',
    parse: integer(1, 1024),
    default: 1,
    help: 'processes that serve; limits of connections, requests and concurrency are divided among them',
  }),
  metricsPort: setting({
    flag: 'metrics-port',
    env: 'VGW_METRICS_PORT',
    form: 'many',
    parse: listeners,
    help: 'where Prometheus finds /metrics, as --port; without credentials, so keep it private',
  }),
  debug: toggle({
    flag: 'debug',
    env: 'VGW_DEBUG',
    help: 'debug log, including why spans are not leaving',
  }),
  logLevel: setting({
    flag: 'log-level',
    env: ['VGW_LOG_LEVEL', { name: 'OTEL_LOG_LEVEL', read: otelLogLevel }],
    parse: choice('error', 'warn', 'info', 'debug', 'trace'),
    help: 'error, warn, info, debug or trace (default info; debug with --debug)',
  }),
  quiet: toggle({
    flag: 'quiet',
    alias: 'q',
    env: 'VGW_QUIET',
    help: 'no start-up lines and no line per request',
  }),
}

const OWNERSHIPS = ['BucketOwnerEnforced', 'BucketOwnerPreferred', 'ObjectWriter', 'none'] as const

function ownership(value: string): (typeof OWNERSHIPS)[number] {
  const word = OWNERSHIPS.find((name) => name === value.trim())
  if (word !== undefined) return word
  throw new ConfigError(`"${value}" is not one of ${OWNERSHIPS.join(', ')}`)
}

/** The words of OpenTelemetry's SDKs: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
function otelLogLevel(
  value: string,
  _env: Environment,
): 'error' | 'warn' | 'info' | 'debug' | 'trace' {
  const word = choice('none', 'error', 'warn', 'info', 'debug', 'verbose', 'trace', 'all')(value)
  if (word === 'none') return 'error'
  return word === 'verbose' || word === 'all' ? 'trace' : word
}
