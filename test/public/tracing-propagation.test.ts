import { describe, expect, test } from 'vitest'
import { CREATE, useTracingPrograms } from '../support/tracing-programs.ts'

const { run } = useTracingPrograms()

describe('propagation', () => {
  const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

  test('extract and inject, with the correlation id', async () => {
    const { traces, said } = await run(`${CREATE}
      const tracing = createTracing({ serviceName: 's' })
      const incoming = { traceparent: '${TRACEPARENT}', tracestate: 'a=b', 'X-Correlation-ID': 'order-17', baggage: 'secret=1' }
      const parent = tracing.extract(new Headers(incoming))
      tracing.scope('work', () => {
        say(tracing.inject({ Accept: 'x' }))
        say(tracing.correlationId())
      }, { parent })
      tracing.scope('alone', (span) => say(tracing.correlationId() === span.traceId))
      say([tracing.extract({ traceparent: 'nonsense' }) ?? null, tracing.extract({ 'x-request-id': 'r1' }), tracing.extract({ 'x-request-id': 'a b' }) ?? null])
      say(tracing.inject({ Accept: 'x' }))
      await tracing.close()`)
    const [headers, correlation, alone, extracted, outside] = said
    const { span_id } = traces[0]?.spans[0] ?? { span_id: '' }
    expect(headers).toEqual({
      accept: 'x',
      traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${span_id}-01`,
      tracestate: 'a=b',
      'x-correlation-id': 'order-17',
    })
    expect([correlation, alone]).toEqual(['order-17', true])
    expect(extracted).toEqual([null, { correlationId: 'r1' }, null])
    expect(outside).toEqual({ accept: 'x' })
    expect(traces[0]?.trace_id).toBe('4bf92f3577b34da6a3ce929d0e0e4736')
    expect(traces[0]?.spans[0]?.parent_span_id).toBe('00f067aa0ba902b7')
  })

  test('by the propagators of the environment', async () => {
    const { said } = await run(`import { fromEnv } from 'versitygw-ts/tracing'
      const headers = {
        b3: '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1',
        'uber-trace-id': '4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1',
        'x-amzn-trace-id': 'Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1',
      }
      for (const OTEL_PROPAGATORS of ['b3', 'b3multi', 'jaeger', 'xray']) {
        const tracing = fromEnv({ VGW_OTEL_ENABLED: 'true', OTEL_TRACES_EXPORTER: 'console', OTEL_PROPAGATORS })
        const incoming = { ...headers, 'x-b3-traceid': headers.b3.slice(0, 32), 'x-b3-spanid': headers.b3.slice(33, 49), 'x-b3-sampled': '1' }
        tracing.scope('work', () => say(tracing.inject()), { parent: tracing.extract(incoming) })
        await tracing.close()
      }`)
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    const correlation = { 'x-correlation-id': trace }
    expect(said).toEqual([
      { b3: expect.stringMatching(new RegExp(`^${trace}-[0-9a-f]{16}-1$`)), ...correlation },
      {
        'x-b3-traceid': trace,
        'x-b3-spanid': expect.any(String),
        'x-b3-sampled': '1',
        ...correlation,
      },
      {
        'uber-trace-id': expect.stringMatching(new RegExp(`^${trace}:[0-9a-f]{16}:0:0?1$`)),
        ...correlation,
      },
      {
        'x-amzn-trace-id': expect.stringMatching(
          /^Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=[0-9a-f]{16};Sampled=1$/i,
        ),
        ...correlation,
      },
    ])
  })

  const SERVER = `import { createServer, request as httpRequest } from 'node:http'
    const seen = []
    const server = createServer((request, response) => {
      seen.push(request.headers)
      response.writeHead(request.url === '/missing' ? 404 : 200).end('ok')
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    const base = 'http://127.0.0.1:' + server.address().port\n`

  test('the fetch wrapper is a client span that the other side continues', async () => {
    const { traces, said } = await run(`${CREATE}${SERVER}
      const tracing = createTracing({ serviceName: 's' })
      await tracing.scope('work', async () => {
        const answer = await tracing.fetch(base + '/a?secret=1', { headers: { 'X-Mine': '1' } })
        say(await answer.text())
        await tracing.fetch(new Request(base + '/missing', { method: 'POST', body: 'b' }))
      })
      await tracing.fetch('http://127.0.0.1:1/').catch((error) => say(error.name))
      say(seen.map(({ traceparent, 'x-mine': mine }) => [traceparent, mine ?? '']))
      server.close(); server.closeAllConnections()
      await tracing.close()`)
    const [work, get, post] = traces[0]?.spans ?? []
    expect(said[0]).toBe('ok')
    expect(get).toMatchObject({
      name: 'HTTP GET',
      kind: 'CLIENT',
      parent_span_id: work?.span_id,
      attributes: { 'server.address': '127.0.0.1', 'http.response.status_code': 200 },
    })
    expect(post).toMatchObject({ name: 'HTTP POST', status: 'ERROR' })
    expect(said[1]).toBe('TypeError')
    expect(said[2]).toEqual([
      [`00-${traces[0]?.trace_id}-${get?.span_id}-01`, '1'],
      [`00-${traces[0]?.trace_id}-${post?.span_id}-01`, ''],
    ])
    expect(traces[1]?.spans[0]).toMatchObject({ name: 'HTTP GET', status: 'ERROR' })
    expect(JSON.stringify(traces)).not.toContain('secret')
  })

  test('autoInstrument: fetch and node:http are spans below the current one, and only there', async () => {
    const { traces, said } = await run(`${CREATE}${SERVER}
      const tracing = createTracing({ serviceName: 's', autoInstrument: true })
      const another = createServer().listen(0, '127.0.0.1')
      await new Promise((resolve) => another.on('listening', resolve))
      const closed = 'http://127.0.0.1:' + another.address().port
      await new Promise((resolve) => another.close(resolve))
      await fetch(base + '/outside').then((answer) => answer.text())
      await tracing.scope('work', async () => {
        await fetch(base + '/a').then((answer) => answer.text())
        await tracing.fetch(base + '/b').then((answer) => answer.text())
        await new Promise((resolve) => httpRequest(base + '/missing', (answer) => answer.resume().on('end', resolve)).end())
        await fetch(closed).catch(() => undefined)
      })
      say(seen.map(({ traceparent }) => traceparent ?? ''))
      server.close(); server.closeAllConnections()
      await tracing.close()
      await fetch(closed).catch(() => undefined)`)
    expect(traces).toHaveLength(1)
    const [work, ...requests] = traces[0]?.spans ?? []
    expect(requests).toHaveLength(4)
    for (const span of requests)
      expect(span).toMatchObject({
        name: 'HTTP GET',
        kind: 'CLIENT',
        parent_span_id: work?.span_id,
      })
    expect(requests.map(({ status }) => status)).toEqual([undefined, undefined, 'ERROR', 'ERROR'])
    const [outside, first, second] = said[0] as string[]
    expect(outside).toBe('')
    expect(first).toContain(requests[0]?.span_id)
    expect(second).toContain(requests[1]?.span_id)
  })

  test('the Hono middleware: one server span a request, until the last byte has left', async () => {
    const { traces, said } = await run(`${CREATE}
      import { serve } from '@hono/node-server'
      import { Hono } from 'hono'
      const tracing = createTracing({ serviceName: 's' })
      const app = new Hono()
      app.use('*', tracing.middleware())
      app.get('/items/:id', (c) => tracing.scope('load', () => c.text(tracing.correlationId())))
      app.get('/stream', (c) => c.body(new ReadableStream({
        async start(controller) {
          for (let i = 0; i < 3; i++) { await new Promise((resolve) => setTimeout(resolve, 20)); controller.enqueue(new TextEncoder().encode('x')) }
          controller.close()
        } })))
      app.get('/broken', () => { throw new Error('it broke') })
      const server = await new Promise((resolve) => { const s = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(s)) })
      const base = 'http://127.0.0.1:' + server.address().port
      for (const path of ['/items/5', '/stream', '/broken', '/none']) {
        const answer = await fetch(base + path, { headers: { traceparent: '${TRACEPARENT}', 'x-request-id': 'r-9' } })
        say([answer.status, answer.headers.get('x-trace-id'), path === '/broken' ? '' : await answer.text()])
      }
      server.close(); server.closeAllConnections()
      await tracing.close()
      say(await (await app.request('/items/6')).text() !== '')`)
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    expect(said.slice(0, 4)).toEqual([
      [200, traceId, 'r-9'],
      [200, traceId, 'xxx'],
      [500, traceId, ''],
      [404, traceId, '404 Not Found'],
    ])
    const roots = traces.map(({ spans }) => spans[0])
    expect(roots[0]).toMatchObject({
      name: 'HTTP GET',
      kind: 'SERVER',
      parent_span_id: '00f067aa0ba902b7',
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/items/:id',
        'url.path': '/items/5',
        'http.response.status_code': 200,
      },
    })
    expect(traces[0]?.spans[1]).toMatchObject({ name: 'load', parent_span_id: roots[0]?.span_id })
    expect(roots[2]).toMatchObject({ status: 'ERROR', attributes: { 'error.type': 'Error' } })
    expect(roots[3]).toMatchObject({ attributes: { 'http.response.status_code': 404 } })
    expect(roots[3]?.status).toBeUndefined()
  })
})
