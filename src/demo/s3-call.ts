import { Agent, request, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import aws4 from 'aws4'

export interface S3Call {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** With the query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  /** Bytes a second: how fast the client sends and takes. */
  readonly pace?: number
  readonly as?: Credentials
}

export interface Credentials {
  readonly access: string
  readonly secret: string
}

export interface S3Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  readonly bytes: number
}

/** Calls S3 as its clients do. */
export type CallS3 = (call: S3Call) => Promise<S3Answer>

const TIMEOUT_MS = 60_000
/** Of an answer, what a client of the demonstration may want to read. */
const KEPT_BYTES = 64 * 1024

export function createCaller(url: URL, root: Credentials, signal: AbortSignal): CallS3 {
  const agent = new Agent({ keepAlive: true })
  signal.addEventListener('abort', () => agent.destroy())
  return (call) => {
    const { access, secret } = call.as ?? root
    const body = Buffer.from(call.body ?? '')
    const signed = aws4.sign(
      {
        service: 's3',
        region: 'us-east-1',
        method: call.method,
        host: url.host,
        path: call.path,
        headers: {
          'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
          'User-Agent': 'versitygw-ts-demo',
          ...call.headers,
          'Content-Length': String(body.length),
        },
      },
      { accessKeyId: access, secretAccessKey: secret },
    )
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: url.hostname,
          port: url.port,
          method: call.method,
          path: call.path,
          headers: signed.headers,
          agent,
          signal,
          timeout: TIMEOUT_MS,
        },
        (incoming) => void readAnswer(incoming, call.pace).then(resolve, reject),
      )
      outgoing.on('error', reject)
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')))
      void sendBody(outgoing, body, call.pace)
    })
  }
}

const PIECE = 64 * 1024

async function sendBody(
  outgoing: NodeJS.WritableStream,
  body: Buffer,
  pace: number | undefined,
): Promise<void> {
  if (pace !== undefined) {
    for (let at = 0; at < body.length && outgoing.writable; at += PIECE) {
      outgoing.write(body.subarray(at, at + PIECE))
      await sleep((PIECE / pace) * 1000)
    }
    outgoing.end()
  } else {
    outgoing.end(body)
  }
}

async function readAnswer(incoming: IncomingMessage, pace: number | undefined): Promise<S3Answer> {
  const kept: Buffer[] = []
  let bytes = 0
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    if (bytes < KEPT_BYTES) kept.push(piece)
    bytes += piece.length
    if (pace !== undefined) await sleep((piece.length / pace) * 1000)
  }
  const { statusCode = 0, headers } = incoming
  return { status: statusCode, headers, text: Buffer.concat(kept).toString(), bytes }
}
