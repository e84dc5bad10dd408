/**
 * The trace contract, section 3, as a table: what spans have to carry, what they carry where it applies, and what they may
 * carry beside it. Tests hold it against what receivers give back.
 */

/** A type, or what the text of the value has to match. */
export type Expected = 'string' | 'int' | 'double' | 'bool' | RegExp

type Attributes = Readonly<Record<string, Expected>>

export interface SpanRule {
  readonly name: RegExp
  readonly kind: 'SERVER' | 'INTERNAL'
  /** Name of the span above; empty for the root. */
  readonly under: RegExp
  readonly always: Attributes
  /** Each of them has to be on some span. */
  readonly sometimes: Attributes
  /** What the contract does not ask for, but docs/tracing.md tells of. */
  readonly also?: Attributes
  readonly events?: Readonly<Record<string, Attributes>>
}

const FAILED: Attributes = { 'error.type': /^\w+$/ }
const EXCEPTION = {
  exception: { 'exception.type': 'string', 'exception.message': 'string' },
} as const
const OF_OBJECTS: Attributes = {
  's3.bucket': 'string',
  's3.key': 'string',
  's3.content_length': 'int',
  's3.upload_id': 'string',
  's3.part_number': 'int',
}

/** 3.1 */
const ROOT: SpanRule = {
  name: /^(?:S3|Admin)\.\w+$/,
  kind: 'SERVER',
  under: /^$/,
  always: {
    'http.method': /^[A-Z]+$/,
    'http.url': /^\/[^?]*$/,
    'http.status_code': 'int',
    'http.client_ip': /^127\.0\.0\.1$/,
    'http.request.method': /^[A-Z]+$/,
    'url.path': /^\/[^?]*$/,
    'http.response.status_code': 'int',
    'client.address': /^127\.0\.0\.1$/,
    'server.address': /^127\.0\.0\.1$/,
    'server.port': 'int',
    'network.protocol.version': /^1\.1$/,
    's3.operation': /^\w+$/,
    'aws.request_id': 'string',
    'vgw.sampling.reason': /^(?:head|error|slow)$/,
    'vgw.ttfb_ms': 'double',
    'vgw.client_wait_ms': 'double',
  },
  sometimes: {
    ...OF_OBJECTS,
    ...FAILED,
    'http.user_agent': 'string',
    'user_agent.original': 'string',
    'url.query': 'string',
    's3.etag': 'string',
    's3.version_id': 'string',
    's3.copy_source': 'string',
  },
  also: { 'vgw.loop_lag_ms': 'double', 'vgw.loop_starved_ms': 'double' },
  events: {
    ...EXCEPTION,
    'health.changed': { target: /^backend\.posix$/, from: /^(?:up|down)$/, to: /^(?:up|down)$/ },
  },
}

/** 3.2 */
const AUTH: SpanRule = {
  name: /^Auth\.V4Signature$/,
  kind: 'INTERNAL',
  under: /^(?:S3|Admin)\./,
  always: { 'auth.method': /^(?:header|presigned|post-policy|anonymous)$/, duration_ms: 'double' },
  sometimes: {
    'auth.payload': /^(?:signed|unsigned|streaming-signed|streaming-unsigned-trailer)$/,
    'auth.access_key': 'string',
    'auth.role': /^(?:user|userplus|admin)$/,
    'auth.is_root': 'bool',
  },
  also: FAILED,
}
const IAM: SpanRule = {
  name: /^IAM\.\w+$/,
  kind: 'INTERNAL',
  under: /^(?:Auth|Admin|Backend|S3)\./,
  always: { 'iam.backend': /^internal$/, duration_ms: 'double' },
  sometimes: { 'iam.cache_hit': 'bool' },
  also: FAILED,
}
const ACCESS: SpanRule = {
  name: /^Auth\.Access$/,
  kind: 'INTERNAL',
  under: /^(?:S3|Admin)\./,
  always: { duration_ms: 'double' },
  sometimes: { 'auth.decision': /^(?:allow|deny)$/, 'auth.rule': 'string' },
  also: { ...FAILED, 'auth.action': 'string', 'auth.statement': 'string' },
}

/** 3.3 */
const BACKEND: SpanRule = {
  name: /^Backend\.\w+$/,
  kind: 'INTERNAL',
  under: /^(?:S3|Admin)\./,
  always: { 'backend.type': /^posix$/, 'backend.operation': /^\w+$/, duration_ms: 'double' },
  sometimes: { ...OF_OBJECTS, 's3.part_count': 'int' },
  also: FAILED,
}

/** 3.4. Under Auth.Access stand the reads made to decide. */
const ABOVE_IO = /^(?:Backend\.\w+|Auth\.Access|(?:S3|Admin)\.\w+|Posix\.IO\.\w+)$/

function io(name: string, sometimes: Attributes = {}, rest: Partial<SpanRule> = {}): SpanRule {
  const also = { ...FAILED, ...FOLDED, 'posix.bucket': 'string', 'posix.object': 'string' } as const
  return {
    name: new RegExp(`^Posix\\.IO\\.(?:${name})$`),
    kind: 'INTERNAL',
    under: ABOVE_IO,
    sometimes,
    events: EXCEPTION,
    ...rest,
    always: { 'posix.duration_ms': 'double', ...QUEUED, ...rest.always },
    also: { ...also, ...WHEN_SLOW, ...QUEUED, ...TIMES, ...rest.also },
  }
}

/** Told where an operation took long. */
const WHEN_SLOW: Attributes = { 'posix.disk_read_bytes': 'int', 'posix.pool_full': 'bool' }
/** Of a span that stands for many. */
const FOLDED: Attributes = {
  'posix.count': 'int',
  'posix.total_ms': 'double',
  'posix.max_ms': 'double',
}
const QUEUED: Attributes = { 'posix.queue_ms': 'double' }
const THROUGHPUT: Attributes = { 'posix.throughput_mbps': 'double' }
const TIMES: Attributes = {
  'posix.io_ms': 'double',
  'posix.hash_ms': 'double',
  'posix.client_wait_ms': 'double',
}
const METHOD = /^(?:copy_file_range|io_copy_with_checksum|io_copy_fallback|reflink|in_place)$/
const PLACE: Attributes = { 'posix.bucket': 'string', 'posix.object': 'string' }

const IO: readonly SpanRule[] = [
  io(
    'OpenTmpFile',
    { ...PLACE, 'posix.part_number': 'int' },
    {
      always: {
        ...QUEUED,
        'posix.dir': /\.sgwtmp/,
        'posix.size': 'int',
        'posix.tmp_method': /^(?:o_tmpfile|named)$/,
      },
    },
  ),
  io(
    'WriteData',
    { 'posix.part_number': 'int' },
    {
      always: {
        ...QUEUED,
        ...THROUGHPUT,
        'posix.bytes_written': 'int',
        'posix.io_ms': 'double',
        'posix.hash_ms': 'double',
      },
      also: { 'posix.client_wait_ms': 'double', 'posix.later_queue_ms': 'double' },
    },
  ),
  io(
    'LinkFile',
    { ...QUEUED, ...PLACE, 'posix.part_number': 'int' },
    {
      always: { 'posix.link_method': /^(?:linkat|rename)$/ },
      also: { 'posix.dir': 'string', 's3.version_id': 'string' },
    },
  ),
  io(
    'AssembleParts',
    {},
    {
      always: { ...QUEUED, ...THROUGHPUT, 'posix.total_parts': 'int', 'posix.total_size': 'int' },
      events: { part_assembled: { current_part: 'int', bytes_copied: 'int' } },
    },
  ),
  io(
    'CopyPart',
    {},
    {
      under: /^Posix\.IO\.AssembleParts$/,
      always: {
        ...QUEUED,
        ...THROUGHPUT,
        'posix.part_number': 'int',
        'posix.part_size': 'int',
        'posix.copy_method': METHOD,
      },
    },
  ),
  io(
    'FastFileCopy',
    {},
    {
      under: /^(?:Posix\.IO\.CopyPart|Backend\.(?:CopyObject|UploadPartCopy))$/,
      always: QUEUED,
      also: { ...THROUGHPUT, 'posix.copy_method': METHOD, 'posix.bytes_copied': 'int' },
    },
  ),
  io(
    'CopyFileRange',
    {},
    {
      under: /^Posix\.IO\.FastFileCopy$/,
      always: {
        ...QUEUED,
        ...THROUGHPUT,
        'posix.bytes_copied': 'int',
        'posix.used_fallback': 'bool',
      },
    },
  ),
  io(
    'ReadData|SendFile',
    { ...QUEUED, 'posix.io_ms': 'double', 'posix.client_wait_ms': 'double' },
    {
      always: { ...THROUGHPUT, 'posix.bytes_read': 'int', 'posix.range_start': 'int' },
      also: { 'posix.cached_percent': 'int' },
    },
  ),
  io('ReadMetadata|WriteMetadata', QUEUED, {
    also: { 'posix.meta_store': /^(?:xattr|sidecar|none)$/ },
  }),
  io('ListDir', QUEUED, {
    always: { 'posix.entries': 'int', 'posix.pages': 'int' },
    also: { 'posix.dir': 'string' },
  }),
  io('StatBatch', QUEUED, {
    events: { slow_entry: { 'posix.index': 'int', 'posix.duration_ms': 'double' } },
  }),
  io('Sync', { 'posix.sync_target': /^(?:file|dir)$/ }),
  io('OpenFile|MakeParents|WaitLock', QUEUED, { also: { 'posix.lock_holder': 'string' } }),
  io('RemoveFile|PruneParents', QUEUED, { also: { 'posix.removed': 'int' } }),
]

const SYSCALL: SpanRule = {
  name: /^Posix\.Syscall\.\w+$/,
  kind: 'INTERNAL',
  under: /^Posix\.IO\./,
  always: { 'posix.errno': 'int', 'posix.duration_us': 'double' },
  sometimes: { 'posix.fd': 'int', 'posix.offset': 'int', 'posix.bytes': 'int' },
}

export const SPAN_RULES: readonly SpanRule[] = [ROOT, AUTH, IAM, ACCESS, BACKEND, ...IO, SYSCALL]

/** Section 1, of every span. */
export const RESOURCE: Attributes = {
  'service.name': /^versitygw$/,
  'service.version': 'string',
  'service.instance.id': 'string',
  'host.name': 'string',
  'process.pid': 'int',
  'deployment.environment.name': /^development$/,
  'deployment.environment': /^development$/,
}

const UPLOADS =
  /^(?:CreateMultipartUpload|UploadPart|UploadPartCopy|CompleteMultipartUpload|AbortMultipartUpload|ListParts)$/
const PARTS = /^UploadPart(?:Copy)?$/

/** 3.1: attributes of the root that stand only where they apply, and the operations that have them when they succeed. */
export const APPLIES: Readonly<Record<string, RegExp>> = {
  's3.upload_id': UPLOADS,
  's3.part_number': PARTS,
  's3.content_length': /^(?:PutObject|PostObject|GetObject|CopyObject|UploadPart|UploadPartCopy)$/,
  's3.etag':
    /^(?:PutObject|PostObject|GetObject|HeadObject|CopyObject|GetObjectAttributes|UploadPart|UploadPartCopy|CompleteMultipartUpload)$/,
  's3.copy_source': /^(?:CopyObject|UploadPartCopy)$/,
}

/** Roots with a link to the request that created the upload. */
export const LINKED = /^(?:UploadPart|UploadPartCopy|CompleteMultipartUpload)$/

const PUBLISHED = ['Posix.IO.OpenTmpFile', 'Posix.IO.WriteData', 'Posix.IO.LinkFile']
const COPIED = ['Posix.IO.FastFileCopy']

/** 3.4: spans that a successful operation has, in this order. What else there is, the golden files of traces say. */
export const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  PutObject: PUBLISHED,
  PostObject: PUBLISHED,
  UploadPart: PUBLISHED,
  CompleteMultipartUpload: ['Posix.IO.AssembleParts', 'Posix.IO.CopyPart', 'Posix.IO.LinkFile'],
  CopyObject: [...COPIED, 'Posix.IO.LinkFile'],
  UploadPartCopy: COPIED,
  ListObjects: ['Posix.IO.ListDir', 'Posix.IO.StatBatch'],
  ListObjectsV2: ['Posix.IO.ListDir', 'Posix.IO.StatBatch'],
  DeleteObject: ['Posix.IO.RemoveFile'],
}
