import type { IncomingMessage } from 'node:http'
import type { S3Request } from '../s3/request.ts'
import { requestId } from '../trace/correlation.ts'
import type { Span } from '../trace/recorder.ts'
import { requestAttributes, responseAttributes, type Semconv } from '../trace/root-attributes.ts'

export interface RequestSource {
  readonly request: S3Request
  /** Asked for while the connection stood: one that is closed has no port any more. */
  readonly serverPort: number | undefined
}

/** Puts the facts of the request on its root span, under the attribute names of the trace contract. */
export function describeRequest(
  root: Span,
  incoming: IncomingMessage,
  { request, serverPort }: RequestSource,
  semconv: Semconv,
): void {
  requestAttributes(root, semconv, {
    method: incoming.method ?? '',
    path: request.rawPath,
    query: request.rawQuery,
    parameters: request.query,
    clientAddress: request.clientAddress,
    userAgent: incoming.headers['user-agent'],
    serverHost: request.host,
    serverPort,
    protocolVersion: incoming.httpVersion,
  })
  root.set('aws.request_id', requestId(root.recorder))
}

export interface ResponseFacts {
  readonly status: number
  readonly ttfbMs: number
  readonly clientWaitMs: number
}

export function describeResponse(root: Span, facts: ResponseFacts, semconv: Semconv): void {
  responseAttributes(root, semconv, facts.status)
  root.set('vgw.ttfb_ms', facts.ttfbMs)
  root.set('vgw.client_wait_ms', facts.clientWaitMs)
}
