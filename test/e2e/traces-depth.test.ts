import { describe, expect, test } from 'vitest'
import type { ReceivedSpan } from '../support/otlp-protobuf.ts'
import { openConnection } from '../support/raw-http.ts'
import { presignTarget } from '../support/sigv4.ts'
import { misplaced, spanNamed } from '../support/span-tree.ts'
import { traceIdOf, useTracedGateway } from '../support/traced.ts'
import { formBody, formType, type PostForm } from '../support/post-form.ts'

/** Every attribute of a span with its type on the wire. */
function types(span: ReceivedSpan): Record<string, string> {
  return Object.fromEntries(
    span.attributes.keys().map((key) => [key, span.attributes.typeOf(key) ?? '']),
  )
}

describe('Depth and sampling', () => {
  const http = useTracedGateway({ flags: ['--otel-depth', 'http'] })
  const backend = useTracedGateway({ flags: ['--otel-depth', 'backend'] })
  const syscall = useTracedGateway({ flags: ['--otel-depth', 'syscall'] })
  const none = useTracedGateway({
    flags: ['--otel-sample-rate', '0', '--otel-keep-errors', 'none'],
  })
  const kept = useTracedGateway({ flags: ['--otel-sample-rate', '0', '--otel-depth', 'http'] })

  test('http and backend stop where they say', async () => {
    for (const [at, names] of [
      [http, ['S3.ListBuckets']],
      [backend, ['Auth.V4Signature', 'Backend.ListBuckets', 'S3.ListBuckets']],
    ] as const) {
      const spans = await at.trace(await at.send('GET', '/'))
      expect(spans.map(({ name }) => name).toSorted()).toEqual(names)
    }
  })

  test('syscall: one span a call, inside its file operation, with the facts of the call (3.4)', async () => {
    const bucket = await syscall.bucket()
    const spans = await syscall.trace(await syscall.send('PUT', `/${bucket}/k`, { body: 'hello' }))
    expect(misplaced(spans)).toEqual([])
    const byId = new Map(spans.map((span) => [span.spanId, span]))
    const calls = spans.filter(({ name }) => name.startsWith('Posix.Syscall.'))
    expect(calls.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'Posix.Syscall.fsetxattr',
        'Posix.Syscall.fsync',
        'Posix.Syscall.linkat',
      ]),
    )
    for (const call of calls) {
      expect(byId.get(call.parentSpanId)?.name).toMatch(/^Posix\.IO\./)
      expect(types(call)).toMatchObject({ 'posix.duration_us': 'double' })
      expect(Number(call.attributes.get('posix.duration_us'))).toBeCloseTo(
        Number(call.endNs - call.startNs) / 1e3,
        2,
      )
    }
    const write = calls.find(({ name }) => name.startsWith('Posix.Syscall.pwrite'))
    expect(write?.attributes.toObject()).toMatchObject({ 'posix.bytes': 5, 'posix.offset': 0 })
    expect(write?.attributes.get('posix.fd')).toBeGreaterThan(2)
    const missing = await syscall.trace(await syscall.send('GET', `/${bucket}/none`))
    const errnos = missing.map(({ attributes }) => attributes.get('posix.errno'))
    expect(errnos).toContain(2)
  })

  test('rate 0 exports nothing but what an authenticated caller samples', async () => {
    const plain = await none.send('GET', '/')
    const header = (id: string) => ({ traceparent: `00-${id}-b7ad6b7169203331-01` })
    const forged = await none.send('GET', '/', { headers: header('a'.repeat(32)), sign: false })
    const trusted = await none.send('GET', '/', { headers: header('c'.repeat(32)) })
    expect([forged.header('x-trace-id'), trusted.header('x-trace-id')]).toEqual([
      'a'.repeat(32),
      'c'.repeat(32),
    ])
    await none.trace(trusted)
    expect(none.receiver.trace(traceIdOf(plain))).toEqual([])
    expect(none.receiver.trace(traceIdOf(forged))).toEqual([])
  })

  test('rate 0 and depth http: a request that failed comes, whole; one that was told no does not', async () => {
    const bucket = await kept.bucket()
    const plain = await kept.send('GET', '/')
    const asked = await kept.send('HEAD', `/${bucket}/none`)
    const failed = await kept.trace(await kept.send('GET', `/${bucket}/none`))
    expect(failed.map(({ name }) => name)).toContain('Posix.IO.OpenFile')
    const root = failed.find(({ name }) => name === 'S3.GetObject')
    expect(root?.attributes.toObject()).toMatchObject({
      'vgw.sampling.reason': 'error',
      'http.status_code': 404,
      's3.key': 'none',
      'error.type': 'NoSuchKey',
    })
    expect(kept.receiver.trace(traceIdOf(plain))).toEqual([])
    expect(kept.receiver.trace(traceIdOf(asked))).toEqual([])
  })
})

describe('What never leaves (section 4)', () => {
  const canary = 'kanarienvogel'
  const at = useTracedGateway({
    flags: ['--otel-depth', 'syscall', '--debug', '--log-level', 'trace'],
    env: { ROOT_SECRET_ACCESS_KEY: `secret-${canary}-0123` },
  })

  test('secret, signature, presigned query, bodies: not in spans, not in logs', async () => {
    const bucket = await at.bucket()
    const target = presignTarget(
      { method: 'GET', target: `/${bucket}/k`, host: at.host },
      at.credentials,
    )
    const [, signature = ''] = /X-Amz-Signature=([0-9a-f]+)/.exec(target) ?? []
    const head = at
      .head('PUT', `/${bucket}/k?bogus=${canary}`, { body: `body ${canary}` })
      .toString('latin1')
    const [, headerSignature = ''] = /Signature=([0-9a-f]{64})/.exec(head) ?? []
    const connection = await openConnection(at.gateway.port)
    connection.write(`${head}body ${canary}`)
    const answers = [
      await connection.response(),
      await at.send('GET', target, { sign: false }),
      await at.send('GET', target.replace(signature, '0'.repeat(64)), { sign: false }),
      await at.send('GET', `/${bucket}/k`, { credentials: { ...at.credentials, secret: 'wrong' } }),
      await at.send('GET', `/${bucket}/k?X-Amz-Security-Token=${canary}`, { sign: false }),
      await at.send('GET', `/${bucket}/k`, {
        headers: { Cookie: canary, 'x-amz-security-token': canary },
      }),
      await at.send('GET', `/${bucket}/k`, {
        headers: { Authorization: `Bearer ${canary}` },
        sign: false,
      }),
    ]
    connection.close()
    for (const answer of answers) await at.trace(answer)
    const exported = JSON.stringify(
      at.receiver
        .spans()
        .map(({ name, attributes, events, status, resource }) => [
          name,
          attributes.toObject(),
          events.map((event) => [event.name, event.attributes.toObject()]),
          status,
          resource.toObject(),
        ]),
    )
    const written = at.gateway.stdout + at.gateway.stderr
    for (const secret of [canary, signature, headerSignature]) {
      expect(secret).not.toBe('')
      expect(exported.includes(secret)).toBe(false)
      expect(written.includes(secret)).toBe(false)
    }
    // Of the query, names stay and values go.
    const root = spanNamed(await at.trace(answers[1] ?? (answers[0] as never)), 'S3.GetObject')
    expect(root.attributes.get('http.url')).toBe(`/${bucket}/k`)
    expect(String(root.attributes.get('url.query'))).toContain('X-Amz-Signature=REDACTED')
  })

  test('A24: nor do the policy, the signature and the fields of a form', async () => {
    const bucket = await at.bucket()
    const fields = [
      ['key', 'posted'],
      ['x-amz-meta-a', canary],
    ] as const
    const forms: PostForm[] = [
      { fields },
      { fields, signature: { 'x-amz-signature': canary } },
      { fields, policy: `{"${canary}` },
      { fields, policy: { conditions: [{ bucket }, { key: canary }] } },
    ]
    const secrets = [canary]
    const posted = await Promise.all(
      forms.map((form) => {
        const body = formBody(form, bucket, at.credentials)
        for (const name of ['policy', 'x-amz-signature'])
          secrets.push(new RegExp(`name="${name}"\r\n\r\n(.+)\r\n`).exec(String(body))?.[1] ?? '')
        const headers = { 'Content-Type': formType() }
        return at.send('POST', `/${bucket}`, { sign: false, headers, body })
      }),
    )
    expect(posted.map(({ status }) => status)).toEqual([204, 403, 400, 403])
    const traces = await Promise.all(posted.map((answer) => at.trace(answer)))
    const told = JSON.stringify(
      traces.flat().map((span) => [span.name, span.attributes.toObject()]),
    )
    const written = at.gateway.stdout + at.gateway.stderr
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(5)
      expect([told.includes(secret), written.includes(secret)]).toEqual([false, false])
    }
    const auth = spanNamed(traces[0] ?? [], 'Auth.V4Signature').attributes
    expect([auth.get('auth.method'), auth.get('auth.access_key')]).toEqual([
      'post-policy',
      at.credentials.access,
    ])
    const root = spanNamed(traces[0] ?? [], 'S3.PostObject').attributes
    expect([root.get('s3.bucket'), root.get('s3.key')]).toEqual([bucket, 'posted'])
  })
})
