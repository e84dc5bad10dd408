import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  installPackage,
  type InstalledPackage,
  type RunOptions,
} from '../support/installed-package.ts'
import { freePort } from '../support/gateway.ts'
import { startOtlpReceiver } from '../support/otlp-receiver.ts'
import { exchange } from '../support/raw-http.ts'
import { EMPTY_SHA256, signHeaders } from '../support/sigv4.ts'
import { startVault, VAULT } from '../support/vault-server.ts'

let installed: InstalledPackage | undefined
const scratch = (): InstalledPackage => {
  if (installed === undefined) throw new Error('the package is there only inside tests')
  return installed
}
beforeAll(() => {
  installed = installPackage()
})
afterAll(() => installed?.remove())

interface Shown {
  readonly trace_id: string
  readonly resource: Readonly<Record<string, unknown>>
  readonly spans: readonly ShownSpan[]
}

interface ShownSpan {
  readonly name: string
  readonly span_id: string
  readonly parent_span_id?: string
  readonly kind: string
  readonly status?: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events?: readonly {
    readonly name: string
    readonly attributes: Record<string, unknown>
  }[]
}

let programs = 0

/** What a program printed: traces by the console exporter, and what it said itself as `{"said": …}`. */
async function run(
  text: string,
  options: RunOptions = {},
): Promise<{ traces: readonly Shown[]; said: readonly unknown[]; stderr: string }> {
  const name = `program-${++programs}.mjs`
  scratch().write(name, `const say = (said) => console.log(JSON.stringify({ said }))\n${text}`)
  const { code, stdout, stderr } = await scratch().run(name, options)
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}${stdout}`)
  const lines = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  return {
    traces: lines.filter((line) => 'trace_id' in line),
    said: lines.filter((line) => 'said' in line).map(({ said }) => said),
    stderr,
  }
}

const CREATE = `import { createTracing } from 'versitygw-ts/tracing'\n`

describe('spans', () => {
  test('scopes nest, failures are recorded and thrown on, the console is the default', async () => {
    const { traces, said } = await run(`${CREATE}
      const tracing = createTracing({ serviceName: 'thumbnails', resourceAttributes: { team: 'images', 'service.version': '7' } })
      const resize = tracing.wrap('resize', async (width) => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        tracing.event('resized', { width })
        if (width === 0) throw new RangeError('no width "secret-quoted"')
        return width * 2
      }, { attributes: { codec: 'webp' } })
      await tracing.scope('request', async (span) => {
        span.set('user', 'u1').setAll({ size: 3, big: true, nothing: undefined })
        say(await resize(21))
        await resize(0).catch((error) => say(error.message))
        say(tracing.currentTraceId() === span.traceId)
      })
      try { tracing.scope('sync', () => { throw new TypeError('sync failure') }) } catch (error) { say(error.name) }
      say(tracing.scope('plain', () => 'value'))
      say([tracing.currentTraceId(), tracing.currentSpan()?.spanId])
      await tracing.close()`)
    expect(said).toEqual([42, 'no width "secret-quoted"', true, 'TypeError', 'value', [null, null]])
    expect(traces).toHaveLength(3)
    const [request, sync, plain] = traces
    expect(request?.resource).toMatchObject({
      'service.name': 'thumbnails',
      'service.version': '7',
      team: 'images',
    })
    const [root, first, second] = request?.spans ?? []
    expect(root).toMatchObject({
      name: 'request',
      kind: 'INTERNAL',
      attributes: { user: 'u1', size: 3, big: true },
    })
    expect(root?.parent_span_id).toBeUndefined()
    expect(first).toMatchObject({
      name: 'resize',
      parent_span_id: root?.span_id,
      attributes: { codec: 'webp' },
      events: [{ name: 'resized', attributes: { width: 21 } }],
    })
    expect(second).toMatchObject({ status: 'ERROR', attributes: { 'error.type': 'RangeError' } })
    expect(second?.events?.[1]).toMatchObject({
      name: 'exception',
      attributes: { 'exception.type': 'RangeError', 'exception.message': 'no width "…"' },
    })
    expect(sync?.spans[0]).toMatchObject({ name: 'sync', status: 'ERROR' })
    expect(plain?.spans[0]).toMatchObject({ name: 'plain' })
    expect(JSON.stringify(traces)).not.toContain('secret-quoted')
  })

  test('spans by hand: parents, kinds, ends, and bounds', async () => {
    const { traces, said } = await run(`${CREATE}
      const tracing = createTracing({ serviceName: 's' })
      const outer = tracing.startSpan('outer', { kind: 'consumer' })
      const inner = tracing.startSpan('inner', { parent: outer, kind: 'producer' })
      tracing.runIn(inner, () => tracing.startSpan('deepest').end())
      const apart = tracing.startSpan('apart', { parent: null })
      for (let i = 0; i < 500; i++) inner.set('k' + i, i).event('e')
      inner.end(); inner.set('late', 1); inner.end()
      for (let i = 0; i < 2000; i++) tracing.startSpan('many', { parent: outer }).end()
      outer.fail('no error at all').end(); apart.end()
      say([outer.traceId === inner.traceId, apart.traceId === outer.traceId])
      await tracing.close()`)
    expect(said).toEqual([[true, false]])
    const [outer, apart] = traces
    expect(apart?.spans.map(({ name }) => name)).toEqual(['apart'])
    expect(outer?.spans).toHaveLength(1000)
    const find = (name: string): ShownSpan | undefined =>
      outer?.spans.find((span) => span.name === name)
    expect(find('outer')).toMatchObject({ kind: 'CONSUMER', status: 'ERROR' })
    expect(find('inner')).toMatchObject({
      kind: 'PRODUCER',
      parent_span_id: find('outer')?.span_id,
    })
    expect(find('deepest')?.parent_span_id).toBe(find('inner')?.span_id)
    expect(Object.keys(find('inner')?.attributes ?? {})).toHaveLength(128)
    expect(find('inner')?.events).toHaveLength(128)
  })

  test('samplingRatio is the share that is kept; what failed is kept beside it', async () => {
    const { traces, said } = await run(`${CREATE}
      const share = createTracing({ serviceName: 's', samplingRatio: 0.25, metrics: true, exporter: 'otlp', endpoint: 'http://127.0.0.1:9' })
      for (let i = 0; i < 4000; i++) share.scope('fine', () => undefined)
      say(Number(/tracing_traces_kept_total (\\d+)/.exec(share.metricsText())[1]))
      const none = createTracing({ serviceName: 's', samplingRatio: 0 })
      for (let i = 0; i < 20; i++) none.scope('fine', () => undefined)
      try { none.scope('failed', () => { throw new Error('x') }) } catch {}
      await none.close()`)
    expect(said[0]).toBeGreaterThan(850)
    expect(said[0]).toBeLessThan(1150)
    expect(traces.map(({ spans }) => spans[0]?.name)).toEqual(['failed'])
  })
})

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

describe('where traces go', () => {
  test.each(['grpc', 'http'] as const)('OTLP by %s, whole after close', async (protocol) => {
    const receiver = await startOtlpReceiver({ protocol })
    const { said } = await run(`${CREATE}
      const tracing = createTracing({
        serviceName: 's', exporter: 'otlp', endpoint: '${receiver.url}', protocol: '${protocol}', headers: { 'x-key': 'k' },
      })
      tracing.scope('outer', (span) => { say(span.traceId); tracing.scope('inner', () => undefined, { kind: 'client' }) }, { kind: 'server' })
      await tracing.close()`)
    const spans = receiver.trace(String(said[0]))
    expect(spans.map(({ name, kind }) => [name, kind])).toEqual([
      ['outer', 'SERVER'],
      ['inner', 'CLIENT'],
    ])
    expect(receiver.exports[0]?.headers['x-key']).toBe('k')
    await receiver.close()
  })

  test('fromEnv: as the gateway', async () => {
    const receiver = await startOtlpReceiver({ protocol: 'http' })
    const propagation = `import { fromEnv } from 'versitygw-ts/tracing'
      const tracing = fromEnv({ VGW_OTEL_ENABLED: 'true', OTEL_TRACES_EXPORTER: 'console', OTEL_PROPAGATORS: 'b3' })
      const parent = tracing.extract({ b3: '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1' })
      tracing.scope('work', () => say(tracing.inject()), { parent })
      await tracing.close()`
    expect((await run(propagation)).said[0]).toEqual({
      b3: expect.stringMatching(/^4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-1$/),
      'x-correlation-id': '4bf92f3577b34da6a3ce929d0e0e4736',
    })
    const program = `import { fromEnv } from 'versitygw-ts/tracing'
      const tracing = fromEnv()
      say(tracing.enabled)
      tracing.scope('work', () => say(tracing.currentTraceId() ?? ''))
      await tracing.close()`
    const env = {
      VGW_OTEL_ENABLED: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_SERVICE_NAME: 'from-env',
    }
    const { said } = await run(program, { env })
    expect(said[0]).toBe(true)
    expect(receiver.trace(String(said[1])).map(({ name }) => name)).toEqual(['work'])
    await receiver.close()
    expect((await run(program)).said).toEqual([false, ''])
    expect((await run(program, { env: { ...env, OTEL_SDK_DISABLED: 'true' } })).said[0]).toBe(false)
    const wrong = run(program, { env: { ...env, VGW_OTEL_SAMPLE_RATE: 'most' } })
    await expect(wrong).rejects.toThrow(/VGW_OTEL_SAMPLE_RATE/)
  })

  test('off: everything works and does nothing', async () => {
    const { traces, said } = await run(`${CREATE}
      const tracing = createTracing({ serviceName: 's', exporter: 'none', autoInstrument: true, metrics: true })
      const double = (n) => n * 2
      say(tracing.wrap('double', double) === double)
      say(tracing.scope('work', (span) => { span.set('a', 1).event('e').fail(new Error('x')).end(); return span.traceId }))
      say(await tracing.scope('async', async () => 7))
      say([tracing.enabled, tracing.currentTraceId() ?? null, tracing.correlationId() ?? null, tracing.metricsText()])
      say(tracing.inject({ a: 'b' }))
      tracing.event('e'); tracing.startSpan('s').end()
      await tracing.flush(); await tracing.close()`)
    expect(traces).toEqual([])
    expect(said).toEqual([true, '', 7, [false, null, null, ''], { a: 'b' }])
  })

  test('metrics: counts and durations by name, as Prometheus reads them', async () => {
    const { said } = await run(`${CREATE}
      const tracing = createTracing({ serviceName: 's', metrics: true })
      for (let i = 0; i < 3; i++) tracing.scope('fine "quoted"', () => undefined)
      try { tracing.scope('broken', () => { throw new Error('x') }) } catch {}
      for (let i = 0; i < 500; i++) tracing.scope('id-' + i, () => undefined)
      await tracing.flush()
      say(tracing.metricsText())
      await tracing.close()`)
    const text = String(said[0])
    expect(text).toContain('tracing_spans_total{span="fine \\"quoted\\"",outcome="ok"} 3\n')
    expect(text).toContain('tracing_spans_total{span="broken",outcome="failed"} 1\n')
    expect(text).toContain('tracing_span_duration_seconds_bucket{span="broken",le="+Inf"} 1\n')
    expect(text).toMatch(/tracing_span_duration_seconds_bucket\{span="broken",le="10"\} 1\n/)
    expect(text).toMatch(/tracing_spans_total\{span="other",outcome="ok"\} 30\d\n/)
    // Where nobody reads the console fast enough spans are dropped, and counted.
    const count = (name: string): number =>
      Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])
    expect(count('tracing_spans_exported_total') + count('tracing_spans_dropped_total')).toBe(504)
    expect(count('tracing_traces_kept_total')).toBe(504)
  })

  test('what is wrong is refused, by the name of its option', async () => {
    const { said } = await run(`${CREATE}
      for (const options of [
        { serviceName: '' },
        { serviceName: 's', samplingRatio: 2 },
        { serviceName: 's', exporter: 'carrier-pigeon' },
        { serviceName: 's', exporter: 'otlp', endpoint: 'ftp://host' },
      ]) try { createTracing(options) } catch (error) { say(error.message) }`)
    expect(said).toEqual([
      expect.stringMatching(/^serviceName: /),
      expect.stringMatching(/^samplingRatio: /),
      expect.stringMatching(/^exporter: "carrier-pigeon"/),
      expect.stringMatching(/^endpoint: not an OTLP endpoint/),
    ])
  })
})

test('the declarations are whole: a program in TypeScript that uses everything is checked', () => {
  scratch().write(
    'program.ts',
    `import { createTracing, fromEnv, type RemoteContext, type Span, type Tracing, type TracingOptions } from 'versitygw-ts/tracing'
     import { main } from 'versitygw-ts'
     import { Hono } from 'hono'
     const options: TracingOptions = { serviceName: 's', exporter: ['console', 'otlp'], endpoint: 'localhost', samplingRatio: 0.5,
       resourceAttributes: { a: 'b' }, autoInstrument: true, metrics: true }
     const tracing: Tracing = createTracing(options)
     const other: Tracing = fromEnv({ VGW_OTEL_ENABLED: 'true' })
     const add: (a: number, b: number) => Promise<number> = tracing.wrap('add', async (a: number, b: number) => a + b)
     const text: string = tracing.scope('s', (span: Span) => span.traceId)
     const sum: Promise<number> = tracing.scope('s', async () => 1 + (await add(1, 2)))
     const context: RemoteContext | undefined = tracing.extract(new Headers())
     const headers: Record<string, string> = tracing.inject({ a: ['b', 'c'] })
     const answer: Promise<Response> = tracing.fetch('http://localhost', { headers })
     new Hono().use('*', tracing.middleware())
     // @ts-expect-error a service has a name
     createTracing({})
     // @ts-expect-error no such exporter
     createTracing({ serviceName: 's', exporter: 'pigeon' })
     // @ts-expect-error an attribute is no object
     tracing.startSpan('x', { attributes: { a: {} } })
     export { answer, context, main, other, sum, text }
     `,
  )
  scratch().write(
    'tsconfig.json',
    JSON.stringify({
      compilerOptions: {
        target: 'es2023',
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        skipLibCheck: false,
        types: ['node'],
      },
      include: ['program.ts'],
    }),
  )
  const tsc = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url))
  const { dir } = scratch()
  let output = ''
  try {
    execFileSync(tsc, ['-p', join(dir, 'tsconfig.json')], { encoding: 'utf8', cwd: dir })
  } catch (error) {
    output = String((error as { stdout?: unknown }).stdout)
  }
  // Other packages' own declarations are not ours to mend.
  expect(
    output.split('\n').filter((line) => /^(?:program|node_modules\/versitygw)/.test(line)),
  ).toEqual([])
})

describe('in a process of the gateway', () => {
  const SECRET = 'alice/secret+0123'

  /** A program that embeds the gateway, whose accounts are in Vault, and traces something of its own. */
  const EMBEDDED = `${CREATE}
    import { subscribe } from 'node:diagnostics_channel'
    import { mkdirSync } from 'node:fs'
    import { main } from 'versitygw-ts'
    const tracing = createTracing({ serviceName: 'extension', autoInstrument: true })
    subscribe('http.client.request.start', () => {
      tracing.scope('extension.watch', (span) => {
        tracing.event('seen', { what: 'account store' })
        say({ traceId: span.traceId, correlation: tracing.correlationId() })
      })
    })
    mkdirSync('data/bucket', { recursive: true })
    await main(process.argv.slice(2), (_, [url]) => say({ url }))
    process.on('SIGUSR2', () => tracing.scope('on.its.own', () => undefined))`

  test.each([
    ['1', true],
    ['0', false],
  ])(
    'its spans go into the request’s record and share its decision (rate %s)',
    async (rate, isKept) => {
      const receiver = await startOtlpReceiver({ protocol: 'http' })
      await using vault = await startVault()
      vault.secrets.set(':kv-v2/users/alice', {
        versions: [
          {
            alice: {
              access: 'alice',
              secret: SECRET,
              role: 'admin',
              userID: 0,
              groupID: 0,
              projectID: 0,
            },
          },
        ],
      })
      scratch().write(
        'embedded.mjs',
        `const say = (said) => console.log(JSON.stringify({ said }))\n${EMBEDDED}`,
      )
      const port = await freePort()
      const child = scratch().start('embedded.mjs', [
        ...['--port', `127.0.0.1:${port}`, '--otel-enabled', '--otel-use-http'],
        ...[
          '--otel-endpoint',
          receiver.url,
          '--otel-sample-rate',
          rate,
          '--otel-keep-errors',
          'none',
        ],
        ...['--otel-slow-threshold', '0', '--iam-vault-endpoint-url', vault.endpoint],
        ...['--iam-vault-secret-storage-path', 'users', '--iam-vault-root-token', VAULT.rootToken],
        ...['posix', 'data'],
      ])
      await child.waitFor(/"url"/)
      const target = '/bucket?list-type=2'
      const { headers } = signHeaders(
        { method: 'GET', target, headers: [['Host', `127.0.0.1:${port}`]] },
        { access: 'alice', secret: SECRET },
        { payloadHash: EMPTY_SHA256 },
      )
      const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      const answer = await exchange(port, Buffer.from(`GET ${target} HTTP/1.1\r\n${head}\r\n`), {})
      expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
      const traceId = answer.header('x-trace-id') ?? ''
      await child.waitFor(
        new RegExp(`"traceId":"${traceId}","correlation":"${answer.header('x-amz-request-id')}"`),
      )
      child.kill('SIGUSR2')
      await child.waitFor(/on\.its\.own/)
      child.kill('SIGTERM')
      await child.exit
      // Its own exporter takes what belongs to no request, and nothing else.
      const console = child.stdout.split('\n').filter((line) => line.includes('"resource"'))
      expect(console.filter((line) => line.includes('extension.watch'))).toEqual([])
      const spans = receiver.trace(traceId)
      if (isKept) {
        const root = spans.find(({ kind }) => kind === 'SERVER')
        expect(root?.name).toBe('S3.ListObjectsV2')
        const own = spans.filter(({ name }) => name === 'extension.watch' || name === 'HTTP GET')
        expect(own.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual(
          expect.arrayContaining([
            ['extension.watch', root?.spanId],
            ['HTTP GET', root?.spanId],
          ]),
        )
      } else expect(spans).toEqual([])
      await receiver.close()
    },
  )
})
