import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { parseRequest } from '../../src/http/request.ts'
import type { S3Request } from '../../src/s3/request.ts'

export interface RequestHead {
  readonly method?: string
  readonly target?: string
  /** As on the wire; a name may come twice. */
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[]
  readonly virtualDomain?: string
}

interface HeaderLines {
  _addHeaderLines(lines: string[], count: number): void
}

/** A head as Node's parser would hand it over, its own header logic included. */
function incomingOf(head: RequestHead): IncomingMessage {
  const incoming = new IncomingMessage(new Socket())
  incoming.method = head.method ?? 'GET'
  incoming.url = head.target ?? '/'
  const headers = head.headers ?? {}
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers)
  const lines = pairs.flat() as string[]
  // oxlint-disable-next-line no-underscore-dangle -- the parser's own entry: Node keeps its rules for repeated headers there
  ;(incoming as unknown as HeaderLines)._addHeaderLines(lines, lines.length)
  return incoming
}

export function requestOf(head: RequestHead): S3Request {
  return parseRequest(incomingOf(head), { virtualDomain: head.virtualDomain })
}
