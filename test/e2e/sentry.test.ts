import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mountFileSystem, type FileSystem } from '../support/file-systems.ts'
import { useGateway, type RawRequest } from '../support/fixture.ts'
import { startGateway } from '../support/gateway.ts'
import { startSentryEndpoint, type SentryEndpoint } from '../support/sentry-endpoint.ts'
import { traceIdOf, useTracedGateway } from '../support/traced.ts'

let endpoint: SentryEndpoint | undefined
const sentry = (): SentryEndpoint => {
  if (endpoint === undefined) throw new Error('the endpoint runs only inside tests')
  return endpoint
}
beforeAll(async () => {
  endpoint = await startSentryEndpoint()
})
afterAll(() => endpoint?.close())

const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const CRASHING = [process.execPath, '--import', root('test/support/crash-on-signal.mjs')]

describe('answers of 5xx', () => {
  let disk: FileSystem | undefined
  beforeAll(() => {
    disk = mountFileSystem('tmpfs', 4)
  })
  afterAll(() => disk?.unmount())
  const fixture = useTracedGateway({
    dir: () => disk?.dir,
    flags: () => ['--sentry-enabled', '--sentry-dsn', sentry().dsn],
    env: {
      // What Sentry.init would obey.
      SENTRY_DSN: 'http://other@127.0.0.1:9/1',
      SENTRY_TRACES_SAMPLE_RATE: '1',
      SENTRY_DEBUG: 'true',
    },
  })

  /** Requests that fail on our side: what is not implemented, and a disk that is full. */
  async function planted(): Promise<readonly (readonly [string, string, RawRequest?])[]> {
    const bucket = await fixture.bucket()
    return [
      ['GET', `/${bucket}?analytics`],
      ['GET', `/${bucket}?inventory&token=canary`, { headers: { 'X-Api-Key': 'canary' } }],
      ...(disk === undefined
        ? []
        : [['PUT', `/${bucket}/large`, { body: 'canary'.repeat(1_000_000) }] as const]),
      [
        'PUT',
        `/${bucket}/key`,
        { headers: { 'If-None-Match': '*', 'If-Match': '*' }, body: 'canary' },
      ],
    ]
  }

  test('each is one event with the ids of its trace; what succeeds or is refused is none', async () => {
    const { length } = sentry().events
    const answers = []
    for (const [method, target, request] of await planted()) {
      const answer = await fixture.send(method, target, request)
      expect(answer.status, `${method} ${target}: ${answer.text}`).toBeGreaterThanOrEqual(500)
      answers.push(answer)
      const bucket = await fixture.bucket()
      expect((await fixture.send('PUT', `/${bucket}/k`, { body: 'x' })).status).toBe(200)
      expect((await fixture.send('GET', `/${bucket}/none`)).status).toBe(404)
      expect((await fixture.send('GET', `/${bucket}/k`, { sign: false })).status).toBe(403)
    }
    await sentry().waitForEvents(length + answers.length)
    const events = sentry().events.slice(length)
    expect(events).toHaveLength(answers.length)
    for (const answer of answers) {
      const traceId = traceIdOf(answer)
      const [event, another] = events.filter(
        ({ contexts }) => contexts?.trace?.trace_id === traceId,
      )
      expect(another).toBeUndefined()
      expect(event?.contexts?.trace?.span_id).toBe(answer.header('x-amz-request-id')?.toLowerCase())
      expect(event).toMatchObject({
        level: 'error',
        environment: 'development',
        release: '0.1.0',
        tags: {
          'error.type': answer.code,
          'http.response.status_code': String(answer.status),
          request_id: answer.header('x-amz-request-id'),
        },
      })
      expect(event?.exception?.values.at(-1)?.stacktrace?.frames).not.toHaveLength(0)
      // One copy of OpenTelemetry's API: spans go on leaving, under the same ids.
      const spans = await fixture.trace(answer)
      const rootSpan = spans.find(({ kind }) => kind === 'SERVER')
      expect(rootSpan?.spanId).toBe(event?.contexts?.trace?.span_id)
      expect(event?.transaction).toBe(rootSpan?.name)
    }
  })

  test('a caller’s trace id is the event’s', async () => {
    const { length } = sentry().events
    const bucket = await fixture.bucket()
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const traceparent = `00-${traceId}-00f067aa0ba902b7-00`
    await fixture.send('GET', `/${bucket}?analytics`, { headers: { traceparent } })
    const event = (await sentry().waitForEvents(length + 1)).at(-1)
    expect(event?.contexts?.trace?.trace_id).toBe(traceId)
  })

  test('nothing but events is sent, and nothing of the request', () => {
    expect(new Set(sentry().items)).toEqual(new Set(['event']))
    expect(sentry().text).toContain('/api/42/envelope/')
    expect(sentry().text).not.toMatch(/canary|x-api-key|b-[0-9a-f]{12}/i)
    for (const event of sentry().events) {
      expect(Object.keys(event).toSorted()).toEqual([
        'contexts',
        'environment',
        'event_id',
        'exception',
        'fingerprint',
        'level',
        'platform',
        'release',
        'sdk',
        'tags',
        'timestamp',
        'transaction',
      ])
      expect(Object.keys(event.contexts ?? {})).toEqual(['trace'])
    }
  })

  test('the key of the DSN is not shown', () => {
    expect(fixture.gateway.stdout).toMatch(
      /errors +5xx and crashes to Sentry at 127\.0\.0\.1:\d+\/42/,
    )
    expect(fixture.gateway.stdout).not.toContain('dsnpublickey')
  })
})

describe.each(['hang', 'refuse', 'limit'] as const)('trouble with Sentry: %s', (fault) => {
  const fixture = useGateway(() => ({
    flags: ['--sentry-enabled', '--quiet', '--sentry-dsn', sentry().dsn],
  }))
  afterAll(() => {
    sentry().fault = 'none'
  })

  test('requests are answered, loss is told once, stop is bounded', async () => {
    sentry().fault = fault
    const before = sentry().requests
    const bucket = await fixture.bucket()
    // More than a burst of reports: what is above is held back.
    const askOften = async (): Promise<void> => {
      for (let i = 0; i < 45; i++)
        expect((await fixture.send('GET', `/${bucket}?analytics`)).status).toBe(501)
    }
    await Promise.all(Array.from({ length: 8 }, askOften))
    expect(await fixture.gateway.stop()).toEqual({ code: 0, signal: null })
    const { stdout } = fixture.gateway
    expect(stdout.match(/errors are not reported to Sentry/g)?.length).toBeLessThan(3)
    expect(stdout).toMatch(/"held_back":\d\d/)
    expect(sentry().requests - before).toBeLessThanOrEqual(320)
  })
})

describe('crashes', () => {
  test.each([
    ['SIGUSR2', 'uncaughtException', 'SyntaxError'],
    ['SIGPIPE', 'unhandledRejection', 'Error'],
  ] as const)(
    '%s: %s is a report, a line of the log and exit code 1',
    async (signal, origin, type) => {
      const { length } = sentry().events
      await using gateway = await startGateway({
        command: CRASHING,
        flags: ['--sentry-enabled', '--sentry-dsn', sentry().dsn],
      })
      const { code } = await gateway.stop(signal)
      expect(code).toBe(1)
      const events = await sentry().waitForEvents(length + 1)
      expect(events.slice(length)).toMatchObject([
        { level: 'fatal', tags: { 'error.type': origin }, exception: { values: [{ type }] } },
      ])
      expect(gateway.stdout).toContain(`"level":"fatal"`)
      expect(gateway.stdout + gateway.stderr + sentry().text).not.toContain('crash-canary')
    },
  )

  test('without Sentry it is a line and exit code 1 all the same', async () => {
    await using gateway = await startGateway({ command: CRASHING })
    expect(await gateway.stop('SIGUSR2')).toEqual({ code: 1, signal: null })
    expect(gateway.stdout).toMatch(/"level":"fatal".*"type":"SyntaxError"/)
    expect(gateway.stdout + gateway.stderr).not.toContain('crash-canary')
  })
})

test('a DSN alone reports nothing', async () => {
  const { length } = sentry().events
  await using gateway = await startGateway({ env: { VGW_SENTRY_DSN: sentry().dsn } })
  expect((await fetch(`${gateway.endpoint}/?unknown`)).status).toBe(403)
  await gateway.stop()
  expect(sentry().events).toHaveLength(length)
  expect(gateway.stdout).not.toMatch(/^ +errors /m)
})

test('there is one copy of OpenTelemetry’s API and SDK: a second one would break what reads the active span', () => {
  const copies = new Map<string, number>()
  const walk = (directory: string): void => {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name)
      if (name.startsWith('.') || !statSync(path).isDirectory()) continue
      const packageName = /node_modules\/(@opentelemetry\/[^/]+)$/.exec(path)?.[1]
      if (packageName !== undefined) copies.set(packageName, (copies.get(packageName) ?? 0) + 1)
      if (name.startsWith('@') || name === 'node_modules') walk(path)
      else if (readdirSync(path).includes('node_modules')) walk(join(path, 'node_modules'))
    }
  }
  walk(root('node_modules'))
  for (const name of ['api', 'core', 'resources', 'sdk-trace', 'sdk-trace-base', 'sdk-trace-node'])
    expect([name, copies.get(`@opentelemetry/${name}`)]).toEqual([name, 1])
})
