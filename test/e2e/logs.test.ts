import { describe, expect, test } from 'vitest'
import { mkdirSync, writeFileSync } from 'node:fs'
import { useGateway } from '../support/fixture.ts'
import { runProgram, startGateway } from '../support/gateway.ts'

interface Line {
  readonly level: string
  readonly msg: string
  readonly trace_id?: string
  readonly span_id?: string
  readonly request_id?: string
}

function linesOf(stdout: string): (Line & Record<string, unknown>)[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
}

describe('the log of a request (trace contract, section 2)', () => {
  const fixture = useGateway({ flags: ['--log-level', 'trace'] })

  async function linesAbout(answer: { header: (name: string) => string | undefined }) {
    const traceId = answer.header('x-trace-id') ?? ''
    await fixture.gateway.waitFor(new RegExp(`"trace_id":"${traceId}".*"msg":"request"`))
    return linesOf(fixture.gateway.stdout).filter(({ trace_id }) => trace_id === traceId)
  }

  test('every line has the ids of the answer, whatever the status', async () => {
    const bucket = await fixture.bucket()
    for (const [method, target] of [
      ['PUT', `/${bucket}/key`],
      ['GET', `/${bucket}/key`],
      ['HEAD', `/${bucket}/nothing`],
      ['GET', `/${bucket}?acl&versioning`],
      ['GET', '/no-such-bucket-here/key'],
      ['DELETE', `/${bucket}/key`],
    ] as const) {
      const answer = await fixture.send(method, target, method === 'PUT' ? { body: 'body' } : {})
      const lines = await linesAbout(answer)
      expect(lines.map(({ msg }) => msg)).toEqual(
        expect.arrayContaining(['request head', 'request']),
      )
      for (const line of lines) {
        expect(line.request_id).toBe(answer.header('x-amz-request-id'))
        expect(line.span_id).toBe(answer.header('x-amz-request-id')?.toLowerCase())
      }
      expect(lines.at(-1)).toMatchObject({ method, status: answer.status })
    }
  })

  test('a caller who brings a trace finds it in the lines', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`
    const answer = await fixture.send('GET', '/', { headers: { traceparent } })
    expect(answer.header('x-trace-id')).toBe(traceId)
    expect(await linesAbout(answer)).not.toHaveLength(0)
  })

  test('a failure is a line with its cause, and with the same ids', async () => {
    const bucket = await fixture.bucket()
    // No document of ours: what was stored by other hands cannot be read.
    writeFileSync(fixture.path(bucket, 'file'), 'x')
    const answer = await fixture.send('GET', `/${bucket}/file`, { sign: false })
    const lines = await linesAbout(answer)
    expect(lines.at(-1)).toMatchObject({
      status: 403,
      error: 'AccessDenied',
      path: `/${bucket}/file`,
    })
  })

  test('a wrong signature is told with the ids of its request', async () => {
    const answer = await fixture.send('GET', '/', {
      credentials: { access: fixture.credentials.access, secret: 'wrong' },
    })
    expect(answer.code).toBe('SignatureDoesNotMatch')
    const lines = await linesAbout(answer)
    const report = lines.find(({ level }) => level === 'warn')
    expect(report).toMatchObject({ request_id: answer.header('x-amz-request-id'), failures: 1 })
  })

  test('the line per request is VersityGW’s nine columns, then trace and span', async () => {
    const answer = await fixture.send('GET', '/missing-bucket?list-type=2&prefix=a&token=t')
    const traceId = answer.header('x-trace-id') ?? ''
    const [line] = await fixture.gateway.waitFor(new RegExp(`^.* \\| ${traceId} \\| .*$`, 'm'))
    expect(line).toMatch(
      /^\d\d:\d\d:\d\d \| vgw \| 404 \| +[\d.]+(?:µs|ms|s) \| 127\.0\.0\.1 \| GET \| \/missing-bucket \| NoSuchBucket \| list-type=2&prefix=a&token=REDACTED \| [0-9a-f]{32} \| [0-9a-f]{16}$/,
    )
    expect(line.split(' | ')[3]).toHaveLength(13)
    expect(line).toContain(answer.header('x-amz-request-id')?.toLowerCase())
  })

  test('values of headers and parameters that are not on the list are not shown', async () => {
    const answer = await fixture.send('GET', '/b-none/k?versionId=1&pass=hidden1', {
      headers: { 'X-Api-Key': 'hidden2', Cookie: 'hidden3', Range: 'bytes=0-1' },
    })
    const [head] = await linesAbout(answer)
    expect(head).toMatchObject({
      msg: 'request head',
      level: 'trace',
      target: '/b-none/k?versionId=1&pass=REDACTED',
      headers: {
        range: 'bytes=0-1',
        cookie: 'REDACTED',
        others: 1,
        authorization: 'REDACTED',
      },
    })
    expect(fixture.gateway.stdout).not.toMatch(/hidden[123]/)
  })
})

test.each([
  [[], {}, false],
  [['--debug'], {}, true],
  [[], { VGW_LOG_LEVEL: 'debug' }, true],
  [[], { OTEL_LOG_LEVEL: 'DEBUG' }, true],
  [['--log-level', 'info'], { VGW_LOG_LEVEL: 'debug' }, false],
  [['--debug', '--quiet'], {}, true],
])('%j with %j: the debug log is on: %s', async (flags, env, expected) => {
  await using gateway = await startGateway({ flags, env })
  mkdirSync(`${gateway.dir}/bucket`)
  const answer = await fetch(`${gateway.endpoint}/bucket/key`)
  expect(answer.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/)
  await gateway.stop()
  expect(linesOf(gateway.stdout).some(({ msg }) => msg === 'request')).toBe(expected)
})

test('an unknown level is one clear line', async () => {
  const { code, stderr } = await runProgram(['--log-level', 'loud', 'posix', '/tmp'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/--log-level: "loud" is not one of error, warn, info, debug, trace/)
})
