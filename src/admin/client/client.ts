import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import aws4 from 'aws4'
import { childText, parseXml, type XmlElement } from '../../http/xml-reader.ts'

/** Which gateway to ask and as whom. */
export interface Connection {
  readonly endpoint: URL
  readonly access: string
  readonly secret: string
  readonly region: string
  /** The gateway's certificate is not verified. */
  readonly allowInsecure: boolean
}

export interface AdminRequest {
  /** With the query, encoded. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** XML. */
  readonly body?: string | undefined
}

/** Time in which no byte moves before the gateway is given up. */
const IDLE_MS = 60_000
/** Far more than any gateway has accounts or buckets to tell of. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024
const MAX_ANSWER_TAGS = 20_000_000

/**
 * One call of the admin API, signed; the body of its answer. Throws `api error {Code}: {Message}` where the gateway
 * refuses, and `failed to send the request: …` where there is no answer.
 */
export async function call(connection: Connection, request: AdminRequest): Promise<Buffer> {
  const { status, reason, body } = await exchange(connection, request)
  if (status >= 200 && status < 300) return body
  const error = readError(body)
  throw new Error(
    error === undefined
      ? `the gateway answered ${status} ${reason}`
      : `api error ${error.code}: ${error.message}`,
  )
}

/** An answer as a document; it is the gateway's own and may be large. */
export function parseAnswer(body: Buffer, root: string): XmlElement {
  try {
    return parseXml(body, root, MAX_ANSWER_TAGS)
  } catch (cause) {
    throw new Error(`the gateway's answer is no ${root}`, { cause })
  }
}

interface Answer {
  readonly status: number
  readonly reason: string
  readonly body: Buffer
}

async function exchange(connection: Connection, request: AdminRequest): Promise<Answer> {
  try {
    const incoming = await send(connection, request)
    const body = await readBody(incoming)
    return { status: incoming.statusCode ?? 0, reason: incoming.statusMessage ?? '', body }
  } catch (cause) {
    throw new Error(`failed to send the request: ${explain(cause)}`, { cause })
  }
}

function send(
  connection: Connection,
  { path, headers, body }: AdminRequest,
): Promise<IncomingMessage> {
  const { endpoint, access, secret, region, allowInsecure } = connection
  const target = endpoint.pathname.replace(/\/+$/, '') + path
  const signed = aws4.sign(
    {
      service: 's3',
      region,
      method: 'PATCH',
      host: endpoint.host,
      path: target,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'Content-Type': 'application/xml' }),
        'Content-Length': String(Buffer.byteLength(body ?? '')),
      },
      ...(body === undefined ? {} : { body }),
    },
    { accessKeyId: access, secretAccessKey: secret },
  )
  const options: RequestOptions = {
    method: 'PATCH',
    host: endpoint.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: endpoint.port,
    path: target,
    headers: signed.headers,
    timeout: IDLE_MS,
    agent: false,
  }
  return new Promise((resolve, reject) => {
    const outgoing =
      endpoint.protocol === 'https:'
        ? requestHttps({ ...options, rejectUnauthorized: !allowInsecure }, resolve)
        : requestHttp(options, resolve)
    outgoing.on('error', reject)
    outgoing.on('timeout', () => outgoing.destroy(new Error('the gateway does not answer')))
    outgoing.end(body)
  })
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too large')
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function readError(body: Buffer): { code: string; message: string } | undefined {
  try {
    const error = parseXml(body, 'Error')
    return { code: childText(error, 'Code') ?? '', message: childText(error, 'Message') ?? '' }
  } catch {
    // Whoever stands between us and the gateway answers in a language of his own.
    return undefined
  }
}

/** Several addresses tried make an error without a message of its own. */
function explain(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(explain).join(', ')
  return error instanceof Error ? error.message : String(error)
}
