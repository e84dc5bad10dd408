import type { ServerResponse } from 'node:http'
import type { Context, MiddlewareHandler } from 'hono'
import type { Span, Tracing } from './types.ts'

/**
 * Each request a span of kind server. It ends when the last byte of the answer has left where Hono runs on Node's server,
 * since `next` returns before a body has been streamed; elsewhere with `next`.
 */
export function honoMiddleware(tracing: Tracing): MiddlewareHandler {
  return async (context, next) => {
    const { method } = context.req
    const span = tracing.startSpan(`HTTP ${method}`, {
      kind: 'server',
      parent: tracing.extract(context.req.raw.headers) ?? null,
      attributes: { 'http.request.method': method, 'url.path': context.req.path },
    })
    await tracing.runIn(span, () => next())
    tell(span, context)
    context.header('X-Trace-ID', span.traceId)
    const { outgoing } = (context.env ?? {}) as { outgoing?: ServerResponse }
    if (outgoing === undefined || outgoing.closed) span.end()
    else outgoing.once('close', () => span.end())
  }
}

function tell(span: Span, context: Context): void {
  const { status } = context.res
  span.set('http.response.status_code', status)
  // Of the handlers that matched the last is the one that answered.
  const route = context.req.matchedRoutes.findLast(({ path }) => !path.endsWith('*'))?.path
  if (route !== undefined) span.set('http.route', route)
  if (context.error !== undefined) span.fail(context.error)
  else if (status >= 500)
    span.fail(Object.assign(new Error(`status ${status}`), { name: `HTTP${status}` }))
}
