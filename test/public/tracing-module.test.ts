import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startOtlpReceiver } from '../support/otlp-receiver.ts'
import { CREATE, useTracingPrograms, type ShownSpan } from '../support/tracing-programs.ts'

const programs = useTracingPrograms()
const { run } = programs

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

  test('a file and the console at once', async () => {
    const { traces } = await run(`${CREATE}
      const tracing = createTracing({ serviceName: 's', exporter: ['file', 'console'], endpoint: 'spans.jsonl' })
      tracing.scope('work', () => undefined)
      await tracing.close()`)
    const file = readFileSync(join(programs.installed.dir, 'spans.jsonl'), 'utf8')
    expect(file).toContain(`"traceId":"${traces[0]?.trace_id}"`)
    expect(file).toContain('"name":"work"')
  })

  test('fromEnv: as the gateway', async () => {
    const receiver = await startOtlpReceiver({ protocol: 'http' })
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
        { serviceName: 's', exporter: 'otlp', headers: { 'x-key': 'canary\\u00e9' } },
      ]) try { createTracing(options) } catch (error) { say(error.message) }`)
    expect(said).toEqual([
      expect.stringMatching(/^serviceName: /),
      expect.stringMatching(/^samplingRatio: /),
      expect.stringMatching(/^exporter: "carrier-pigeon"/),
      expect.stringMatching(/^endpoint: not an OTLP endpoint/),
      'headers: the value of x-key is not one of a header',
    ])
  })
})
