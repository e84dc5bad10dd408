import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { startGateway, type Gateway, type GatewayOptions } from './gateway.ts'
import { exchange, type RawResponse } from './raw-http.ts'
import {
  EMPTY_SHA256,
  sha256,
  signHeaders,
  type Credentials,
  type HeaderList,
  type SigningOptions,
} from './sigv4.ts'

/** A running gateway and what tests need around it; valid inside tests and hooks. */
export interface Fixture {
  readonly gateway: Gateway
  readonly s3: S3Client
  readonly credentials: Credentials
  readonly host: string
  client(config?: Partial<S3ClientConfig>): S3Client
  /** A new empty bucket. */
  bucket(): Promise<string>
  /** Path of a bucket, or of a key in it, on disk. */
  path(bucket: string, key?: string): string
  /** One signed request as given, and its answer as it came. */
  send(method: string, target: string, request?: RawRequest): Promise<RawResponse>
  /** The bytes of a signed request's head. */
  head(method: string, target: string, request?: RawRequest): Buffer
}

/** Runs the same tests against another gateway, which is started with our arguments after the name of our own program. */
const OTHER_PROGRAM = process.env['E2E_PROGRAM']

export interface RawRequest {
  readonly headers?: Readonly<Record<string, string>> | HeaderList
  readonly body?: Buffer | string
  /** Value of x-amz-content-sha256; unless given, the body's own. */
  readonly payloadHash?: string | undefined
  /** Anonymous with `false`. */
  readonly sign?: Partial<SigningOptions> | false
  readonly credentials?: Credentials
  readonly timeoutMs?: number
  /** Sent as the body instead of `body`, after Content-Length has been written for it. */
  readonly omitLength?: boolean
}

export function useGateway(options: GatewayOptions | (() => GatewayOptions) = {}): Fixture {
  let gateway: Gateway | undefined
  let s3: S3Client | undefined
  const clients: S3Client[] = []
  const running = (): Gateway => {
    if (gateway === undefined) throw new Error('the gateway runs only inside tests')
    return gateway
  }
  beforeAll(async () => {
    const given = typeof options === 'function' ? options() : options
    gateway = await startGateway(
      OTHER_PROGRAM === undefined ? given : { ...given, command: [OTHER_PROGRAM] },
    )
    s3 = fixture.client()
  })
  afterAll(async () => {
    for (const client of clients) client.destroy()
    await gateway?.stop()
  })
  const fixture: Fixture = {
    get gateway() {
      return running()
    },
    get s3() {
      if (s3 === undefined) throw new Error('the client works only inside tests')
      return s3
    },
    get credentials() {
      return { access: running().access, secret: running().secret }
    },
    get host() {
      return new URL(running().endpoint).host
    },
    client(config = {}) {
      const client = connect(running(), config)
      clients.push(client)
      return client
    },
    // By the disk, which is as good a bucket as any: a test of objects shall not fail for CreateBucket's sake.
    async bucket() {
      const name = `b-${randomBytes(6).toString('hex')}`
      mkdirSync(fixture.path(name))
      return name
    },
    path: (bucket, key = '') => join(running().dir, bucket, key),
    send(method, target, request = {}) {
      const bytes = requestBytes(fixture, method, target, request)
      const tls = running().endpoint.startsWith('https')
      return exchange(running().port, bytes, {
        head: method === 'HEAD',
        tls,
        timeoutMs: request.timeoutMs ?? 60_000,
      })
    },
    head: (method, target, request = {}) => requestHead(fixture, method, target, request),
  }
  return fixture
}

export function connect(gateway: Gateway, config: Partial<S3ClientConfig> = {}): S3Client {
  return new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: gateway.access, secretAccessKey: gateway.secret },
    ...config,
  })
}

function requestBytes(
  fixture: Fixture,
  method: string,
  target: string,
  request: RawRequest,
): Buffer {
  return Buffer.concat([
    requestHead(fixture, method, target, request),
    Buffer.from(request.body ?? ''),
  ])
}

function requestHead(
  fixture: Fixture,
  method: string,
  target: string,
  request: RawRequest,
): Buffer {
  const { headers = {}, body, sign = {}, omitLength = false } = request
  const given: HeaderList = Array.isArray(headers)
    ? (headers as HeaderList)
    : Object.entries(headers)
  const names = new Set(given.map(([name]) => name.toLowerCase()))
  const all: (readonly [string, string])[] = names.has('host')
    ? [...given]
    : [['Host', fixture.host], ...given]
  const wantsLength = (body !== undefined || method === 'PUT' || method === 'POST') && !omitLength
  if (wantsLength && !names.has('content-length'))
    all.push(['Content-Length', String(Buffer.byteLength(body ?? ''))])
  const payloadHash =
    'payloadHash' in request
      ? request.payloadHash
      : body === undefined
        ? EMPTY_SHA256
        : sha256(body)
  const sent =
    sign === false
      ? all
      : signHeaders({ method, target, headers: all }, request.credentials ?? fixture.credentials, {
          payloadHash,
          ...sign,
        }).headers
  return Buffer.from(
    `${method} ${target} HTTP/1.1\r\n${sent.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  )
}

/** The error an SDK call ends with. */
export async function failure(
  call: Promise<unknown>,
): Promise<{ name: string; message: string; status: number; raw: Error }> {
  try {
    await call
  } catch (error) {
    const { name, message, $metadata } = error as Error & {
      $metadata?: { httpStatusCode?: number }
    }
    return { name, message, status: $metadata?.httpStatusCode ?? 0, raw: error as Error }
  }
  throw new Error('the call succeeded, which it should not')
}
