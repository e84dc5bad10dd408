import { writeFileSync } from 'node:fs'
import { accountXml, createAccount } from './admin.ts'
import { checksum } from './checksums.ts'
import { unsignedChunks } from './aws-chunked.ts'
import type { Fixture, RawRequest } from './fixture.ts'
import { small, type Kind } from './golden-kinds.ts'
import { KINDS } from './operation-kinds.ts'
import type { RawResponse } from './raw-http.ts'
import { presignTarget } from './sigv4.ts'
import { traceIdOf } from './traced.ts'
import type { Asked } from './trace-breaches.ts'

/** A request that has been answered, and how its trace is found. */
export interface Made extends Asked {
  readonly what: string
  readonly traceId: string
}

type Wanted = readonly [method: string, target: string, request?: RawRequest]

/** Where versions can be switched on. */
const VERSIONED: readonly Kind[] = [
  { operation: 'PutBucketVersioning', request: async (_, bucket) => enableVersions(bucket) },
  {
    operation: 'GetBucketVersioning',
    async request(at, bucket) {
      await at.send(...enableVersions(bucket))
      return ['GET', `/${bucket}?versioning`]
    },
  },
  {
    operation: 'PutObject of a version',
    async request(at, bucket) {
      await at.send(...enableVersions(bucket))
      return ['PUT', `/${bucket}/k`, { body: small }]
    },
  },
]

function enableVersions(bucket: string): Wanted {
  const body = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
  return ['PUT', `/${bucket}?versioning`, { body }]
}

/** Kinds whose name is not that of an operation. */
const OPERATION_OF: Readonly<Record<string, string>> = {
  'NotImplemented operation': 'GetBucketLifecycleConfiguration',
  'Unsigned request': 'GetObject',
}

/** Every operation, as it should be and with what it is about missing; and what else a trace can hold. */
export async function makeRequests(at: Fixture): Promise<readonly Made[]> {
  const made: Made[] = []
  const send = async (
    what: string,
    operation: string,
    [method, target, request = {}]: Wanted,
  ): Promise<RawResponse> => {
    const headers = { 'User-Agent': 'contract/1', ...(request.headers as Record<string, string>) }
    const answer = await at.send(method, target, { ...request, headers })
    made.push({
      what,
      root: `${method === 'PATCH' ? 'Admin' : 'S3'}.${operation}`,
      operation,
      isPlain: what === operation,
      method,
      path: target.replace(/\?.*/s, ''),
      status: answer.status,
      code: answer.code,
      requestId: answer.header('x-amz-request-id'),
      traceId: traceIdOf(answer),
    })
    return answer
  }
  const waiting = [...KINDS, ...VERSIONED].values()
  const makeKinds = async (): Promise<void> => {
    for (const kind of waiting) await makeKind(at, send, kind)
  }
  // Side by side: some of them wait for half a second.
  await Promise.all(Array.from({ length: 8 }, makeKinds))
  await makeStrangeRequests(at, send)
  await makeAdminRequests(send)
  return made
}

async function makeKind(at: Fixture, send: Send, kind: Kind): Promise<void> {
  const { operation: what, status = 200, request } = kind
  const operation = OPERATION_OF[what] ?? what.split(' ')[0] ?? ''
  const bucket = await at.bucket()
  const asked = await request(at, bucket, 1)
  const answer = await send(what, operation, asked)
  // What is locked gets a new version here, where the golden traces' gateway has none.
  if (status < 300 && answer.status >= 300)
    throw new Error(`${what}: ${answer.status} ${answer.text}`)
  const [method, target, ...rest] = asked
  const nowhere = target.replace(`/${bucket}`, `/missing-${bucket}`)
  if (nowhere !== target && operation !== 'CreateBucket')
    await send(`${what}, elsewhere`, operation, [method, nowhere, ...rest])
}

type Send = (what: string, operation: string, request: Wanted) => Promise<RawResponse>

async function makeStrangeRequests(at: Fixture, send: Send): Promise<void> {
  const bucket = await at.bucket()
  const put = (key: string, request: RawRequest = {}): Wanted => [
    'PUT',
    `/${bucket}/${key}`,
    { body: small, ...request },
  ]
  const wrong = { access: at.credentials.access, secret: 'wrong' }
  await send('a wrong secret', 'ListBuckets', ['GET', '/', { credentials: wrong }])
  await send('a bucket that is there', 'CreateBucket', ['PUT', `/${bucket}`])
  await send('a name that is none', 'CreateBucket', ['PUT', '/UPPER'])

  await createAccount(at, { access: 'someone', secret: 'secret', role: 'user' })
  const credentials = { access: 'someone', secret: 'secret' }
  await send('an account', 'ListBuckets', ['GET', '/', { credentials }])
  await send('an account, known', 'ListBuckets', ['GET', '/', { credentials }])
  await send('an account that may not', 'PutObject', put('k', { credentials }))

  const target = presignTarget(
    { method: 'GET', target: `/${bucket}/k`, host: at.host },
    at.credentials,
  )
  await send('a presigned URL', 'GetObject', ['GET', target, { sign: false }])
  const chunks = {
    body: unsignedChunks(small, { trailers: [['x-amz-checksum-crc32', checksum('CRC32', small)]] }),
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: {
      'x-amz-decoded-content-length': String(small.length),
      'x-amz-trailer': 'x-amz-checksum-crc32',
      'Content-Encoding': 'aws-chunked',
    },
  }
  await send('a body in chunks', 'PutObject', put('chunked', chunks))

  await send('a file', 'PutObject', put('file'))
  await send('a key below a file', 'PutObject', put('file/below'))
  const broken = await at.bucket()
  // A file where the directory of temporary files has to be: nobody expects that.
  writeFileSync(at.path(broken, '.sgwtmp'), 'in the way')
  // Three objects in a row are a broken backend; the next one finds it well again.
  for (const key of ['one', 'two', 'three'])
    await send('a broken bucket', 'PutObject', ['PUT', `/${broken}/${key}`, { body: small }])
  await send('a sound bucket', 'PutObject', put('sound'))
}

/** The administration API's own operations, with an account that comes and goes. */
async function makeAdminRequests(send: Send): Promise<void> {
  const account = { body: accountXml({ access: 'made', secret: 's', role: 'user' }) }
  const change = { body: '<MutableProps><Secret>t</Secret></MutableProps>' }
  const owner = { headers: { 'x-vgw-owner': 'made' } }
  const ADMIN: readonly (readonly [operation: string, target: string, request?: RawRequest])[] = [
    ['CreateUser', '/create-user', account],
    ['UpdateUser', '/update-user?access=made', change],
    ['ListUsers', '/list-users'],
    ['CreateBucket', '/made/create', owner],
    ['ListBuckets', '/list-buckets'],
    ['ChangeBucketOwner', '/change-bucket-owner/?bucket=made&owner=made'],
    ['DeleteUser', '/delete-user?access=made'],
  ]
  const credentials = { access: 'someone', secret: 'secret' }
  for (const [operation, target, request = {}] of ADMIN) {
    const answer = await send(`admin ${operation}`, operation, ['PATCH', target, request])
    if (answer.status >= 300) throw new Error(`${operation}: ${answer.status} ${answer.text}`)
    const refused = { ...request, credentials }
    await send(`admin ${operation}, no admin`, operation, ['PATCH', target, refused])
  }
}
