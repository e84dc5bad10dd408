import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { ViewerConnection } from '../../config/viewer-command.ts'
import { ConfigError } from '../../config/values.ts'
import { readTextFile } from '../../io/read-text.ts'

/** A viewer that can be asked. */
export interface Asker {
  /** The JSON of an answer; undefined for 404. Throws an error whose message is the one line to show. */
  get(path: string): Promise<unknown>
  /** An answer that goes on. */
  open(path: string): Promise<IncomingMessage>
}

/** What `npm start` leaves: the viewer's URL, with its token behind `#`. */
const LEFT_BEHIND = '.local/viewer'

const IDLE_MS = 60_000
const MAX_ANSWER_BYTES = 256 * 1024 * 1024

export async function createAsker(connection: ViewerConnection): Promise<Asker> {
  const { url, authorization } = await findViewer(connection)
  const send = (path: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const options: RequestOptions = {
        path: url.pathname.replace(/\/+$/, '') + path,
        host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
        port: url.port,
        headers: { Host: url.host, Authorization: authorization },
        timeout: IDLE_MS,
        agent: false,
      }
      const outgoing =
        url.protocol === 'https:'
          ? requestHttps({ ...options, rejectUnauthorized: !connection.allowInsecure }, resolve)
          : requestHttp(options, resolve)
      outgoing.on('timeout', () => outgoing.destroy(new Error('it does not answer')))
      outgoing.on('error', (cause) =>
        reject(
          new Error(`the viewer at ${url.origin} cannot be asked: ${explain(cause)}`, { cause }),
        ),
      )
      outgoing.end()
    })
  return {
    async get(path) {
      const incoming = await send(path)
      const text = await readText(incoming)
      if (incoming.statusCode === 404) return undefined
      if (incoming.statusCode !== 200) throw new Error(refusal(incoming, text))
      return JSON.parse(text)
    },
    async open(path) {
      const incoming = await send(path)
      if (incoming.statusCode !== 200) throw new Error(refusal(incoming, await readText(incoming)))
      return incoming
    },
  }
}

async function findViewer({
  url: text,
  token: given,
  account,
}: ViewerConnection): Promise<{ url: URL; authorization: string }> {
  const left = (await readTextFile(LEFT_BEHIND))?.trim()
  const known = left !== undefined && URL.canParse(left) ? new URL(left) : undefined
  if (text === undefined && known === undefined)
    throw new ConfigError(
      `--viewer-url is needed: there is no ${LEFT_BEHIND} here, as npm start leaves it`,
    )
  const url = text === undefined ? known : new URL(text)
  if (url === undefined) throw new ConfigError('--viewer-url is needed')
  const token = given ?? tokenOf(url) ?? (known?.origin === url.origin ? tokenOf(known) : undefined)
  if (token !== undefined) return { url, authorization: `Bearer ${token}` }
  if (account === undefined)
    throw new ConfigError('--token is needed, or --access and --secret of an admin account')
  const { access, secret } = account
  return {
    url,
    authorization: `Basic ${Buffer.from(`${access}:${secret}`).toString('base64')}`,
  }
}

function tokenOf(url: URL): string | undefined {
  return /^#token=(.+)$/.exec(url.hash)?.[1]
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too large')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

function refusal({ statusCode = 0 }: IncomingMessage, text: string): string {
  try {
    const answer: unknown = JSON.parse(text)
    if (typeof answer === 'object' && answer !== null && 'error' in answer)
      return `the viewer answered ${statusCode}: ${String(answer.error)}`
  } catch {
    // Whoever stands between us and the viewer answers in a language of his own.
  }
  return `the viewer answered ${statusCode}`
}

/** Several addresses tried make an error without a message of its own. */
function explain(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(explain).join(', ')
  return error instanceof Error ? error.message : String(error)
}
