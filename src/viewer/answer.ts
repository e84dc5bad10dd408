import type { ServerResponse } from 'node:http'
import type { ErrorAnswer } from './api-types.ts'

/** A page of ours loads nothing from elsewhere, runs no script that stands in it, and is framed by nobody. */
const SAFETY = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Cache-Control': 'no-store',
  Server: 'VERSITYGW',
} as const

export type Headers = Readonly<Record<string, string>>

export function begin(
  outgoing: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string | number>>,
): void {
  outgoing.writeHead(status, { ...SAFETY, ...headers })
}

export function answer(
  outgoing: ServerResponse,
  status: number,
  body: string | Uint8Array,
  headers: Headers,
): void {
  begin(outgoing, status, { ...headers, 'Content-Length': Buffer.byteLength(body) })
  outgoing.end(outgoing.req.method === 'HEAD' ? undefined : body)
}

/** What is written at a time: the kernel copies it while nothing else is done. */
const PIECE_BYTES = 128 * 1024

/** JSON that is written already, perhaps many megabytes of it: as fast as it is taken, and other work in between. */
export async function answerBytes(
  outgoing: ServerResponse,
  body: Uint8Array,
  headers: Headers = {},
): Promise<void> {
  const all = { ...JSON_TYPE, ...headers }
  if (body.length <= PIECE_BYTES) return answer(outgoing, 200, body, all)
  begin(outgoing, 200, { ...all, 'Content-Length': body.length })
  if (outgoing.req.method === 'HEAD') return void outgoing.end()
  for (let at = 0; at < body.length && !outgoing.destroyed; at += PIECE_BYTES) {
    const isTaken = outgoing.write(body.subarray(at, at + PIECE_BYTES))
    if (isTaken) await new Promise(setImmediate)
    else await drained(outgoing)
  }
  outgoing.end()
}

/** Who takes nothing for so long holds megabytes that others could have. */
const STALLED_MS = 30_000

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => outgoing.destroy(), STALLED_MS)
    const go = (): void => {
      clearTimeout(timer)
      outgoing.off('drain', go).off('close', go)
      resolve()
    }
    outgoing.on('drain', go).on('close', go)
  })
}

const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' } as const

export function answerJson(
  outgoing: ServerResponse,
  value: unknown,
  headers: Headers = {},
  status = 200,
): void {
  answer(outgoing, status, JSON.stringify(value), { ...JSON_TYPE, ...headers })
}

export function answerError(
  outgoing: ServerResponse,
  status: number,
  error: ErrorAnswer,
  headers: Headers = {},
): void {
  answerJson(outgoing, error, headers, status)
}

export function answerNothing(outgoing: ServerResponse, headers: Headers): void {
  begin(outgoing, 204, headers)
  outgoing.end()
}
