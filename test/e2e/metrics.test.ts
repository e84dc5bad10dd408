import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountDirectory } from '../support/admin.ts'
import { runProgram, scratch } from '../support/gateway.ts'
import { openConnection } from '../support/raw-http.ts'
import { eventually } from '../support/process-facts.ts'
import { findPython, findTool } from '../support/tools.ts'
import { useTracedGateway } from '../support/traced.ts'

const dir = mkdtempSync(join(scratch(), 'vgw-metrics-'))
afterAll(() => rmSync(dir, { recursive: true }))
const socketPath = join(dir, 'metrics.sock')
const OPENMETRICS = 'application/openmetrics-text;version=1.0.0'

interface Scrape {
  readonly status: number
  readonly type: string
  readonly text: string
}

async function scrape(
  headers: Record<string, string> = {},
  { path = '/metrics', method = 'GET', body = '', at = socketPath } = {},
): Promise<Scrape> {
  const sent = request({ socketPath: at, path, method, headers })
  sent.on('error', () => undefined)
  sent.end(body)
  const [answer] = await once(sent, 'response')
  let text = ''
  for await (const piece of answer.setEncoding('utf8')) text += piece
  return { status: answer.statusCode, type: answer.headers['content-type'], text }
}

/** The value of one series, summed over the series whose labels hold these. */
function valueOf(text: string, name: string, labels: Record<string, string> = {}): number {
  let sum = 0
  for (const line of text.split('\n')) {
    const [, found, inner = '', value] = /^([a-z_]+)(?:\{(.*?)\})? ([^ ]+)/.exec(line) ?? []
    const isMeant = Object.entries(labels).every(([label, wanted]) =>
      inner.includes(`${label}="${wanted}"`),
    )
    if (found === name && isMeant) sum += Number(value)
  }
  return sum
}

describe('docs/metrics.md: one endpoint for two workers', () => {
  const iam = accountDirectory()
  const secrets = { key: `canary-key-${randomBytes(4).toString('hex')}`, account: 'canaryaccount' }
  const at = useTracedGateway({
    flags: [
      '--workers=2',
      `--metrics-port=${socketPath}`,
      `--iam-dir=${iam}`,
      '--iam-cache-ttl=0',
      '--iam-cache-stale=0',
      '--quiet',
    ],
  })
  let bucket = ''
  let firstText = ''
  beforeAll(async () => {
    bucket = await at.bucket()
    for (let i = 0; i < 10; i++)
      await at.send('PUT', `/${bucket}/${secrets.key}`, { body: 'x'.repeat(1000) })
    for (let i = 0; i < 7; i++) await at.send('GET', `/${bucket}/${secrets.key}`)
    for (let i = 0; i < 5; i++) await at.send('GET', `/${bucket}/missing`)
    await at.send('GET', `/${bucket}/k`, {
      credentials: { access: secrets.account, secret: 'canary secret' },
    })
    await at.send('PATCH', '/list-users')
    const broken = await openConnection(at.gateway.port)
    broken.write('no request at all\r\n\r\n')
    await broken.ended()
    firstText = (await scrape()).text
  })

  test('counts are the sum over both', () => {
    const put = { api: 'S3', operation: 'PutObject' }
    const get = { api: 'S3', operation: 'GetObject' }
    expect(valueOf(firstText, 'versitygw_requests_total', { ...put, status: '2xx' })).toBe(10)
    expect(valueOf(firstText, 'versitygw_requests_total', { ...get, status: '2xx' })).toBe(7)
    expect(valueOf(firstText, 'versitygw_requests_total', { ...get, status: '4xx' })).toBe(6)
    expect(
      valueOf(firstText, 'versitygw_requests_total', { api: 'Admin', operation: 'ListUsers' }),
    ).toBe(1)
    expect(valueOf(firstText, 'versitygw_request_duration_seconds_count', { ...put })).toBe(10)
    expect(
      valueOf(firstText, 'versitygw_request_duration_seconds_bucket', { ...put, le: '+Inf' }),
    ).toBe(10)
    expect(
      valueOf(firstText, 'versitygw_request_duration_seconds_sum', { ...put }),
    ).toBeGreaterThan(0)
    expect(valueOf(firstText, 'versitygw_request_errors_total', { error: 'NoSuchKey' })).toBe(5)
    expect(valueOf(firstText, 'versitygw_request_body_bytes_total', put)).toBe(10_000)
    expect(valueOf(firstText, 'versitygw_response_body_bytes_total', get)).toBeGreaterThan(7000)
    expect(
      valueOf(firstText, 'versitygw_connections_accepted_total', { listener: 's3' }),
    ).toBeGreaterThanOrEqual(24)
    expect(valueOf(firstText, 'versitygw_traces_kept_total', { reason: 'head' })).toBe(24)
    expect(valueOf(firstText, 'versitygw_io_queue_wait_seconds_count')).toBeGreaterThan(20)
    expect(valueOf(firstText, 'versitygw_malformed_requests_total', { listener: 's3' })).toBe(1)
    expect(valueOf(firstText, 'versitygw_workers')).toBe(2)
    expect(valueOf(firstText, 'versitygw_requests_in_flight')).toBe(0)
    for (const worker of ['1', '2', 'primary'])
      expect(valueOf(firstText, 'process_resident_memory_bytes', { worker })).toBeGreaterThan(1e7)
  })

  test('an answer that a client leaves half-way counts what left, in metrics and trace', async () => {
    const length = 32 * 1024 * 1024
    await at.send('PUT', `/${bucket}/left`, { body: Buffer.alloc(length) })
    const name = 'versitygw_response_body_bytes_total'
    const before = valueOf((await scrape()).text, name)
    const { socket, ...connection } = await openConnection(at.gateway.port)
    // Not at the head, which leaves before the file.
    socket.on('data', () => connection.pending().length > 16_384 && socket.pause())
    connection.write(at.head('GET', `/${bucket}/left`))
    await once(socket, 'pause')
    const [, traceId = ''] = /X-Trace-ID: (\w+)/.exec(connection.pending().toString()) ?? []
    connection.close()
    const spans = await at.receiver.waitForTrace(traceId)
    const [root, backend, file] = ['S3.GetObject', 'Backend.GetObject', 'Posix.IO.SendFile'].map(
      (name) => spans.find((span) => span.name === name)?.attributes.toObject(),
    )
    const sent = Number(file?.['posix.bytes_read'])
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThan(length)
    expect([root?.['s3.content_length'], backend?.['s3.content_length']]).toEqual([sent, sent])
    expect(valueOf((await scrape()).text, name) - before).toBe(sent)
  })

  test('a large answer counts what left by sendfile, an upload what came', async () => {
    const body = randomBytes(6_000_000)
    const before = (await scrape()).text
    await at.send('PUT', `/${bucket}/large`, { body, payloadHash: 'UNSIGNED-PAYLOAD' })
    await at.send('GET', `/${bucket}/large`)
    await at.send('HEAD', `/${bucket}/large`)
    const after = (await scrape()).text
    const grown = (name: string, operation: string): number =>
      valueOf(after, name, { operation }) - valueOf(before, name, { operation })
    expect(grown('versitygw_request_body_bytes_total', 'PutObject')).toBe(body.length)
    expect(grown('versitygw_response_body_bytes_total', 'GetObject')).toBe(body.length)
    expect(grown('versitygw_response_body_bytes_total', 'HeadObject')).toBe(0)
  })

  test('exemplars lead to traces that were received', async () => {
    const { type, text } = await scrape({ Accept: OPENMETRICS })
    expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(text.endsWith('# EOF\n')).toBe(true)
    const exemplars = [
      ...text.matchAll(
        /operation="PutObject".* # \{trace_id="([0-9a-f]{32})",span_id="([0-9a-f]{16})"\} /g,
      ),
    ]
    expect(exemplars.length).toBeGreaterThan(0)
    for (const [, traceId = '', spanId] of exemplars) {
      const spans = await at.receiver.waitForTrace(traceId)
      expect(spans.find((span) => span.name === 'S3.PutObject')?.spanId).toBe(spanId)
    }
  })

  test.each([
    [undefined, 'text/plain'],
    ['*/*', 'text/plain'],
    ['text/plain;version=0.0.4', 'text/plain'],
    [OPENMETRICS, 'application/openmetrics-text'],
    ['application/openmetrics-text', 'application/openmetrics-text'],
    ['application/openmetrics-text;version=2.0.0', 'text/plain'],
    // Prometheus 3.
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'application/openmetrics-text',
    ],
    ['application/openmetrics-text;q=0.1,text/plain;q=0.9', 'text/plain'],
    ['application/openmetrics-text;q=0', 'text/plain'],
    ['x,'.repeat(3000), 'text/plain'],
  ])('Accept: %s is answered with %s', async (accept, type) => {
    const answer = await scrape(accept === undefined ? {} : { Accept: accept })
    expect([answer.status, answer.type.split(';')[0]]).toEqual([200, type])
    expect(answer.text.includes('# EOF')).toBe(type !== 'text/plain')
    expect(answer.text.includes('trace_id')).toBe(type !== 'text/plain')
  })

  const promtool = spawnSync('promtool', ['--version']).status === 0
  test.skipIf(!promtool)('promtool finds nothing to say against it', async () => {
    const { text } = await scrape()
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text })
    expect([String(stdout), String(stderr), status]).toEqual(['', '', 0])
  })

  const python = findPython('prometheus_client')
  test.skipIf(python === undefined)('Prometheus’ own parsers read both formats', async () => {
    const script = `
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
families = list((openmetrics if sys.argv[1] == 'openmetrics' else text)(sys.stdin.read()))
exemplars = [s for f in families for s in f.samples if getattr(s, 'exemplar', None)]
print(len(families), len(exemplars) > 0)
`
    for (const [format, accept] of [
      ['openmetrics', OPENMETRICS],
      ['text', 'text/plain'],
    ] as const) {
      const { text } = await scrape({ Accept: accept })
      const { stdout, stderr } = spawnSync(python ?? '', ['-c', script, format], { input: text })
      const families = text.match(/^# TYPE /gm)?.length
      expect(String(stdout) + String(stderr)).toBe(
        `${families} ${format === 'openmetrics' ? 'True' : 'False'}\n`,
      )
    }
  })

  test('the families are those of docs/metrics.md', () => {
    const doc = readFileSync(
      fileURLToPath(new URL('../../docs/metrics.md', import.meta.url)),
      'utf8',
    )
    const documented = [...doc.matchAll(/^\| `([a-z_]+)` \| (\w+) \|/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    )
    const served = [...firstText.matchAll(/^# TYPE ([a-z_]+) (\w+)$/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    )
    expect(new Set(served)).toEqual(new Set(documented))
  })

  test('no names of buckets, keys and accounts, and no secrets', async () => {
    for (const accept of [OPENMETRICS, 'text/plain']) {
      const { text } = await scrape({ Accept: accept })
      for (const canary of [bucket, secrets.key, 'canary', at.credentials.access, at.gateway.dir])
        expect(text).not.toContain(canary)
    }
  })

  test('nothing else is served, and nothing is waited for', async () => {
    expect((await scrape({}, { path: '/' })).status).toBe(404)
    expect((await scrape({}, { path: `/${bucket}/k` })).status).toBe(404)
    expect((await scrape({}, { path: '/metrics?name=x' })).status).toBe(200)
    expect((await scrape({}, { method: 'DELETE' })).status).toBe(405)
    expect((await scrape({}, { method: 'POST', body: 'x' })).status).toBe(413)
    const head = await scrape({}, { method: 'HEAD' })
    expect([head.status, head.text]).toEqual([200, ''])
    const flood = connect(socketPath).on('error', () => undefined)
    flood.write(`GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}`)
    await once(flood.resume(), 'close')
    let closed = 0
    const many = Array.from({ length: 100 }, () =>
      connect(socketPath)
        .resume()
        .on('error', () => undefined)
        .on('close', () => closed++),
    )
    expect(await eventually(() => closed >= 100 - 64)).toBe(true)
    expect(closed).toBeLessThan(50)
    for (const socket of many) socket.destroy()
    expect(await eventually(async () => (await scrape()).status === 200)).toBe(true)
  })

  test('the account store’s health: metric, event of the trace, and back', async () => {
    const users = join(iam, 'users.json')
    const good = readFileSync(users)
    const ask = () => at.send('GET', '/', { credentials: { access: 'alice', secret: 'x' } })
    const target = 'iam.internal'
    writeFileSync(users, '{"broken')
    const answers = [await ask(), await ask(), await ask(), await ask()]
    expect(answers.map(({ status }) => status)).toEqual([500, 500, 500, 500])
    let { text } = await scrape()
    expect(valueOf(text, 'versitygw_up', { target })).toBe(0)
    expect(valueOf(text, 'versitygw_up', { target: 'backend.posix' })).toBe(2)
    expect(valueOf(text, 'versitygw_health_changes_total', { target, to: 'down' })).toBe(2)
    const traces = await Promise.all(answers.map((answer) => at.trace(answer)))
    const events = traces
      .flatMap((spans) => spans.flatMap((span) => span.events))
      .filter(({ name }) => name === 'health.changed')
      .map(({ attributes }) => attributes.toObject())
    expect(events).toEqual([
      { target, from: 'up', to: 'down' },
      { target, from: 'up', to: 'down' },
    ])
    writeFileSync(users, good)
    for (let i = 0; i < 4; i++) expect((await ask()).status).toBe(403)
    ;({ text } = await scrape())
    expect(valueOf(text, 'versitygw_up', { target })).toBe(2)
    expect(valueOf(text, 'versitygw_health_changes_total', { target, to: 'up' })).toBe(2)
  })

  const SILENT = 'versitygw_workers_silent'
  const workers = (): string[] => {
    const { pid } = at.gateway
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  }
  const silent = async () => valueOf((await scrape()).text, SILENT)

  test('a worker that says nothing is counted, and its counters stand', async () => {
    const before = (await scrape()).text
    const requests = 'versitygw_requests_total'
    const [, second = ''] = workers()
    process.kill(Number(second), 'SIGSTOP')
    const scrapes = await Promise.all([scrape(), scrape(), scrape()])
    process.kill(Number(second), 'SIGCONT')
    for (const { status, text } of scrapes) {
      expect([status, valueOf(text, SILENT)]).toEqual([200, 1])
      expect(valueOf(text, requests)).toBe(valueOf(before, requests))
    }
    await expect.poll(silent).toBe(0)
  })

  test('counters do not fall when a worker is killed and replaced', async () => {
    const before = (await scrape()).text
    const [victim = ''] = workers()
    process.kill(Number(victim), 'SIGKILL')
    await at.gateway.waitFor(/a worker ended/)
    const during = (await scrape()).text
    await eventually(() => workers().length === 2 && !workers().includes(victim))
    await expect.poll(silent).toBe(0)
    const after = (await scrape()).text
    for (const [name, labels] of [
      ['versitygw_requests_total', { operation: 'PutObject' }],
      ['versitygw_request_duration_seconds_count', {}],
      ['versitygw_request_duration_seconds_sum', {}],
      ['versitygw_request_errors_total', {}],
      ['versitygw_io_jobs_total', {}],
    ] as const) {
      const counts = [before, during, after].map((text) => valueOf(text, name, labels))
      expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    }
    expect(valueOf(after, 'versitygw_worker_restarts_total')).toBe(1)
    expect(valueOf(after, 'versitygw_workers')).toBe(2)
  })
})

const strace = findTool('strace')
const canInject =
  strace !== undefined &&
  spawnSync(strace, ['-qq', '-e', 'inject=openat2:error=EIO:when=1000+', 'true']).status === 0
describe.skipIf(!canInject)('trace contract 3.2: a backend that changes health', () => {
  const place = join(dir, 'one.sock')
  const at = useTracedGateway({
    flags: [`--metrics-port=${place}`],
    command: [
      strace ?? 'strace',
      '-D',
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      ...['bad', 'bad-2', 'bad-3'].flatMap((key) => ['-P', key]),
      '-e',
      'inject=openat2:error=EIO',
      process.execPath,
    ],
  })

  test('is an event of the trace and a metric, and so is its recovery; a bad file is neither', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/good`, { body: 'x' })
    const target = 'backend.posix'
    const up = async (): Promise<number> =>
      valueOf((await scrape({}, { at: place })).text, 'versitygw_up', { target })
    const changesOf = async (key: string, status: number): Promise<unknown> => {
      const answer = await at.send('GET', `/${bucket}/${key}`)
      expect(answer.status).toBe(status)
      const spans = await at.trace(answer)
      const root = spans.find(({ name }) => name === 'S3.GetObject')
      return root?.events
        .filter(({ name }) => name === 'health.changed')
        .map(({ attributes }) => attributes.toObject())
    }
    for (let i = 0; i < 4; i++) expect(await changesOf('bad', 500)).toEqual([])
    expect(await changesOf('bad-2', 500)).toEqual([])
    expect(await changesOf('good', 200)).toEqual([])
    for (const key of ['bad', 'bad', 'bad-2']) expect(await changesOf(key, 500)).toEqual([])
    expect(await up()).toBe(1)
    expect(await changesOf('bad-3', 500)).toEqual([{ target, from: 'up', to: 'down' }])
    expect(await up()).toBe(0)
    expect(await changesOf('bad', 500)).toEqual([])
    expect(await changesOf('good', 200)).toEqual([{ target, from: 'down', to: 'up' }])
    expect(await changesOf('missing', 404)).toEqual([])
    expect(await up()).toBe(1)
  })
})

test('--metrics-port on a place that is taken already is refused', async () => {
  const { code, stderr } = await runProgram([
    '--port=127.0.0.1:7400',
    '--metrics-port=:7400',
    'posix',
    dir,
  ])
  expect(code).toBe(1)
  expect(stderr).toContain('port 7400 is given twice')
})
