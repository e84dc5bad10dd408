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
  body: string | Buffer,
  headers: Headers,
): void {
  begin(outgoing, status, { ...headers, 'Content-Length': Buffer.byteLength(body) })
  outgoing.end(outgoing.req.method === 'HEAD' ? undefined : body)
}

export function answerJson(
  outgoing: ServerResponse,
  value: unknown,
  headers: Headers = {},
  status = 200,
): void {
  answer(outgoing, status, JSON.stringify(value), {
    'Content-Type': 'application/json; charset=utf-8',
    ...headers,
  })
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
