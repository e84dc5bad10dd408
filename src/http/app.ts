import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { newTraceId } from '../trace/ids.ts'
import type { RequestMessage } from './request-message.ts'

export interface AppOptions {
  /** Path of the health answer, such as `/health`; it shadows a bucket of that name. */
  readonly healthPath: string | undefined
  /** Answers everything that is S3. Takes over `outgoing`; never throws. */
  readonly serveS3: (incoming: RequestMessage, outgoing: ServerResponse) => void
}

/**
 * What is not S3 has a route here; all the rest is one catch-all, because a key is no route: Hono's own path is
 * normalised, and would break keys and signatures.
 *
 * A request without a route of its own goes to Hono as it is, without node-server's Request in between: that one parses the
 * target as a URL and refuses odd ones with an empty 400, where a client of S3 expects an error document; and it would
 * turn an answer of ours into Headers and back.
 */
export function createApp(
  options: AppOptions,
): (incoming: RequestMessage, outgoing: ServerResponse) => void {
  const { healthPath } = options
  const app = new Hono<{ Bindings: Bindings }>({
    getPath: (request, context) =>
      request === CATCH_ALL ? S3_ROUTE : rawPath(context?.env?.incoming),
  })
  if (healthPath !== undefined)
    app.get(healthPath, (c) => c.text('OK', 200, { ...PLAIN_TEXT, 'X-Trace-ID': newTraceId() }))
  app.all(S3_ROUTE, (c) => {
    options.serveS3(c.env.incoming, c.env.outgoing)
    return RESPONSE_ALREADY_SENT
  })
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
    // HTTP/1.0 needs none, and that is what some load balancers ask in.
    hostname: 'localhost',
  })
  return (incoming, outgoing) => {
    if (healthPath !== undefined && incoming.method === 'GET' && rawPath(incoming) === healthPath) {
      void listener(incoming, outgoing)
    } else {
      void app.fetch(CATCH_ALL, { incoming, outgoing })
    }
  }
}

interface Bindings {
  readonly incoming: RequestMessage
  readonly outgoing: ServerResponse
}

const PLAIN_TEXT = { 'Content-Type': 'text/plain; charset=utf-8' }

/** No request's own path, which holds no space; and without a wildcard, so that the router looks it up and matches nothing. */
const S3_ROUTE = '/ s3'

/**
 * All that Hono looks at to find the catch-all. Its path says nothing, because the router looks paths up as property names, and
 * each key would become one; its method is not the request's, because HEAD would be answered twice over.
 */
const CATCH_ALL = new Request('http://s3/', { method: 'GET' })

function rawPath(incoming: IncomingMessage | undefined): string {
  const url = incoming?.url ?? '/'
  const mark = url.indexOf('?')
  return mark === -1 ? url : url.slice(0, mark)
}
