import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { newTraceId } from '../trace/ids.ts'

export interface AppOptions {
  /** Path of the health answer, such as `/health`; it shadows a bucket of that name. */
  readonly healthPath: string | undefined
  /** Answers everything that is S3. Takes over `outgoing`; never throws. */
  readonly serveS3: (incoming: IncomingMessage, outgoing: ServerResponse) => void
}

/**
 * What is not S3 has a route here; all the rest is one catch-all, because a key is no route: Hono's own path is
 * normalised, and would break keys and signatures.
 */
export function createApp(options: AppOptions): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const app = new Hono<{ Bindings: HttpBindings }>({
    getPath: (_request, context) => rawPath(context?.env as HttpBindings | undefined),
  })
  if (options.healthPath !== undefined) {
    app.get(options.healthPath, (c) => c.text('OK', 200, { 'X-Trace-ID': newTraceId() }))
  }
  app.all('*', (c) => {
    options.serveS3(c.env.incoming, c.env.outgoing)
    return RESPONSE_ALREADY_SENT
  })
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false, autoCleanupIncoming: false })
  return (incoming, outgoing) => {
    if (isOrdinary(incoming)) void listener(incoming, outgoing)
    else options.serveS3(incoming, outgoing)
  }
}

function rawPath(env: HttpBindings | undefined): string {
  const url = env?.incoming.url ?? '/'
  const mark = url.indexOf('?')
  return mark === -1 ? url : url.slice(0, mark)
}

const ORDINARY_HOST = /^[a-z0-9._-]+(?::\d{1,5})?$/i

/** Hono answers an odd host or a backslash with an empty 400 of its own; a client of S3 expects an error document. */
function isOrdinary(incoming: IncomingMessage): boolean {
  const { host } = incoming.headers
  const url = incoming.url ?? ''
  return host !== undefined && ORDINARY_HOST.test(host) && url.startsWith('/') && !url.includes('\\')
}
