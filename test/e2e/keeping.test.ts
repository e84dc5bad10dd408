import { request as httpRequest, Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { startOtlpReceiver } from '../support/otlp-receiver.ts'
import type { ReceivedSpan } from '../support/otlp-protobuf.ts'
import { sha256, signHeaders } from '../support/sigv4.ts'
import { isWhole, misplaced } from '../support/span-tree.ts'
import { useTracedGateway } from '../support/traced.ts'

/** A request that is signed once and sent often. */
interface Sample {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Before the last byte of the body is sent. */
  readonly pauseMs?: number
}

interface Answered {
  readonly status: number
  readonly traceId: string
}

const RATE = 0.1
const FAILED_EACH = 10
const SLOW = 20

describe.each([
  { requests: 10_000, protocol: 'grpc', workers: 1 },
  { requests: 3_000, protocol: 'http', workers: 3 },
] as const)('$requests mixed requests at ratio 0.1, over $protocol, workers: $workers', (given) => {
  const at = useTracedGateway({
    protocol: given.protocol,
    flags: [
      `--otel-sample-rate=${RATE}`,
      '--otel-slow-threshold=400ms',
      `--workers=${given.workers}`,
      '--quiet',
    ],
    posixFlags: ['--durability=none'],
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const aside = new Agent({ keepAlive: false })
  afterAll(() => {
    agent.destroy()
    aside.destroy()
  })

  const sample = (method: string, target: string, body = '', secret?: string): Sample => {
    const credentials = secret === undefined ? at.credentials : { ...at.credentials, secret }
    const length = body === '' ? [] : [['Content-Length', String(body.length)] as const]
    const headers = [['Host', at.host] as const, ...length]
    const options = { payloadHash: sha256(body) }
    const signed = signHeaders({ method, target, headers }, credentials, options)
    return { method, target, headers: Object.fromEntries(signed.headers), body }
  }
  const send = ({ method, target, headers, body, pauseMs }: Sample): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const { port } = at.gateway
      const request = httpRequest(
        // Slow ones have connections of their own: they shall not keep the others waiting.
        { port, host: '127.0.0.1', method, path: target, headers, agent: pauseMs ? aside : agent },
        (response) => {
          response.resume()
          response.on('end', () => {
            const { 'x-trace-id': traceId = '' } = response.headers
            resolve({ status: response.statusCode ?? 0, traceId: String(traceId) })
          })
          response.on('error', reject)
        },
      )
      request.on('error', reject)
      if (pauseMs === undefined) return request.end(body)
      request.write(body.slice(0, -1))
      setTimeout(() => request.end(body.slice(-1)), pauseMs)
      return undefined
    })

  test('all of these arrive whole, and a tenth of the rest', async () => {
    const bucket = await at.bucket()
    const usual = [
      sample('PUT', `/${bucket}/a`, 'x'.repeat(4096)),
      sample('GET', `/${bucket}/a`),
      sample('HEAD', `/${bucket}/a`),
      sample('GET', `/${bucket}?list-type=2`),
      // How one asks whether there is a key: no failure.
      sample('HEAD', `/${bucket}/none`),
    ]
    const failing = [
      sample('GET', `/${bucket}/none`),
      sample('GET', '/no-such-bucket/a'),
      sample('GET', `/${bucket}/a`, '', 'not the secret'),
      sample('PUT', `/${bucket}/a`, 'y', 'not the secret'),
      sample('PUT', `/${bucket}/a?partNumber=1&uploadId=none`, 'y'),
      sample('POST', `/${bucket}?delete`, '<no document'),
      sample('POST', `/${bucket}/a`),
      sample('DELETE', `/${bucket}`),
      sample('GET', `/${bucket}?analytics`),
    ]
    const slow = { ...sample('PUT', `/${bucket}/slow`, 'z'.repeat(1000)), pauseMs: 600 }
    const planted = [
      ...failing.flatMap((one) => Array.from({ length: FAILED_EACH }, () => one)),
      ...Array.from({ length: SLOW }, () => slow),
    ]
    await send(usual[0] ?? slow)

    const every = Math.floor(given.requests / planted.length)
    const answers: { answer: Promise<Answered>; planted: Sample | undefined }[] = []
    for (let i = 0; i < given.requests; i++) {
      const special = i % every === 0 ? planted[i / every] : undefined
      const one = special ?? usual[i % usual.length] ?? slow
      answers.push({ answer: send(one), planted: special })
      if (i % 200 === 0) await answers.at(-1)?.answer
    }
    const traces = new Map<string, ReceivedSpan[]>()
    const done = await Promise.all(
      answers.map(async ({ answer, planted }) => ({ ...(await answer), planted })),
    )
    const last = done.filter((one) => one.planted !== undefined).slice(-20)
    await Promise.all(last.map(({ traceId }) => at.receiver.waitForTrace(traceId)))
    // For what other workers hold, which nobody tells of.
    for (let seen = -1; seen !== at.receiver.exports.length; await delay(1000))
      seen = at.receiver.exports.length
    for (const span of at.receiver.spans())
      traces.set(span.traceId, [...(traces.get(span.traceId) ?? []), span])

    const wanted = done.filter((one) => one.planted !== undefined)
    expect(wanted).toHaveLength(failing.length * FAILED_EACH + SLOW)
    // A failure is the same one each time: so are the spans of its trace, whichever worker had it.
    const shapes = new Map<Sample | undefined, string>()
    for (const { traceId, planted, status } of wanted) {
      const spans = traces.get(traceId) ?? []
      const shape = spans
        .map(({ name }) => name)
        .toSorted()
        .join(' ')
      if (!shapes.has(planted)) shapes.set(planted, shape)
      expect([traceId, shape]).toEqual([traceId, shapes.get(planted)])
      expect([traceId, status, isWhole(spans), misplaced(spans)]).toEqual([
        traceId,
        status,
        true,
        [],
      ])
      const root = spans.find(({ kind }) => kind === 'SERVER')
      const reason = planted?.pauseMs === undefined ? 'error' : 'slow'
      expect([reason, 'head']).toContain(root?.attributes.get('vgw.sampling.reason'))
    }
    const rest = done.filter((one) => one.planted === undefined)
    const kept = rest.filter(({ traceId }) => {
      const spans = traces.get(traceId)
      if (spans !== undefined) expect(isWhole(spans)).toBe(true)
      // A busy machine makes some of them slow, and those are kept beside the share.
      const root = spans?.find(({ kind }) => kind === 'SERVER')
      return root?.attributes.get('vgw.sampling.reason') === 'head'
    })
    // Four standard deviations of what chance does with so many.
    const allowed = 4 * Math.sqrt((RATE * (1 - RATE)) / rest.length)
    expect(Math.abs(kept.length / rest.length - RATE)).toBeLessThan(allowed)
  })
})

describe('a receiver that hangs', () => {
  test('costs no request, and the stop ends in time', async () => {
    const receiver = await startOtlpReceiver({ protocol: 'grpc' })
    receiver.fault = 'hang'
    await using gateway = await startGateway({
      flags: ['--otel-enabled', '--otel-endpoint', receiver.url],
      env: { OTEL_BSP_SCHEDULE_DELAY: '20', OTEL_BSP_EXPORT_TIMEOUT: '60000' },
    })
    const statuses = await Promise.all(
      Array.from(
        { length: 300 },
        async () => (await fetch(`${gateway.endpoint}/no-bucket/k`)).status,
      ),
    )
    expect(new Set(statuses)).toEqual(new Set([404]))
    const started = performance.now()
    expect(await gateway.stop()).toMatchObject({ code: 0 })
    expect(performance.now() - started).toBeLessThan(30_000)
    expect(gateway.stderr + gateway.stdout).toMatch(/spans had not left for http/)
    await receiver.close()
  })
})
