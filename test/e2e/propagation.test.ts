import { ListBucketsCommand } from '@aws-sdk/client-s3'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccount } from '../support/admin.ts'
import { useGateway } from '../support/fixture.ts'
import { MiB, startUpload } from '../support/multipart.ts'
import { findTool } from '../support/tools.ts'
import { traceIdOf, useTracedGateway } from '../support/traced.ts'

const CALLER = 'b7ad6b7169203331'
const traceparent = (traceId: string, flags = '01'): string => `00-${traceId}-${CALLER}-${flags}`

describe('one trace across two gateways: the accounts of one are an object of the other', () => {
  const store = useTracedGateway()
  const front = useGateway(() => ({
    flags: [
      '--otel-enabled',
      '--otel-endpoint',
      store.receiver.url,
      '--s3-iam-bucket=accounts',
      `--s3-iam-endpoint=${store.gateway.endpoint}`,
      `--s3-iam-access=${store.credentials.access}`,
      `--s3-iam-secret=${store.credentials.secret}`,
      '--iam-cache-ttl=1',
    ],
    env: { OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_SERVICE_NAME: 'front' },
  }))
  const user = { access: 'ALICE', secret: 'alice secret', role: 'user' } as const

  beforeAll(async () => {
    await store.send('PUT', '/accounts')
    await createAccount(front, user)
    // The account that was just made is in the cache for a second.
    await new Promise((resolve) => setTimeout(resolve, 1100))
  })

  test('the second continues under the span that asked it, with tracestate and without baggage', async () => {
    const traceId = 'a1'.repeat(16)
    const headers = {
      traceparent: traceparent(traceId),
      tracestate: 'vendor=opaque',
      baggage: 'user=alice',
    }
    const answer = await front.send('GET', '/', { headers, credentials: user })
    expect(answer.status).toBe(200)
    expect(traceIdOf(answer)).toBe(traceId)
    const spans = await store.receiver.waitForTrace(
      traceId,
      (all) => all.filter(({ kind }) => kind === 'SERVER').length === 2,
    )
    const asked = spans.find(({ name }) => name === 'IAM.GetUserAccount')
    const answered = spans.find(({ name }) => name === 'S3.GetObject')
    expect(answered?.parentSpanId).toBe(asked?.spanId)
    expect(answered?.traceState).toBe('vendor=opaque')
    expect([asked, answered].map((span) => span?.resource.get('service.name'))).toEqual([
      'front',
      'versitygw',
    ])
    expect(JSON.stringify(spans.map(({ attributes }) => attributes.toLines()))).not.toContain(
      'user=alice',
    )
  })
})

describe('what is said to a service that is asked', () => {
  let server: Server
  const seen: IncomingHttpHeaders[] = []
  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push(request.headers)
      response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const iam = (): string[] => {
    const { port } = server.address() as AddressInfo
    const place = [`--s3-iam-endpoint=http://127.0.0.1:${port}`, '--s3-iam-bucket=accounts']
    return [...place, '--s3-iam-access=AK', '--s3-iam-secret=SK']
  }
  const half = useTracedGateway({
    flags: () => ['--otel-sample-rate=0', ...iam()],
    env: { OTEL_PROPAGATORS: 'b3,tracecontext' },
  })

  test('the flag is the head’s, though all is recorded for the sake of what fails; nothing of it is signed', async () => {
    const stranger = { access: 'NOBODY', secret: 'x' }
    const answer = await half.send('GET', '/', { credentials: stranger })
    expect(answer.status).toBe(403)
    const spans = await half.trace(answer)
    const asked = spans.find(({ name }) => name === 'IAM.GetUserAccount')
    const headers = seen.at(-1)
    expect(headers?.['traceparent']).toBe(`00-${traceIdOf(answer)}-${asked?.spanId}-00`)
    expect(headers?.['b3']).toBe(`${traceIdOf(answer)}-${asked?.spanId}-0`)
    expect(headers?.authorization).toMatch(/SignedHeaders=/)
    expect(headers?.authorization).not.toMatch(/SignedHeaders=[^,]*(?:traceparent|b3)/)
  })

  test('OTEL_PROPAGATORS: b3 is continued before traceparent', async () => {
    const answer = await half.send('GET', '/', {
      headers: { b3: `${'b3'.repeat(16)}-${CALLER}-1`, traceparent: traceparent('c'.repeat(32)) },
    })
    expect(traceIdOf(answer)).toBe('b3'.repeat(16))
    const [root] = (await half.trace(answer)).filter(({ kind }) => kind === 'SERVER')
    expect(root?.parentSpanId).toBe(CALLER)
  })
})

describe('--otel-trust-parent never', () => {
  const at = useTracedGateway({ flags: ['--otel-trust-parent=never'] })

  test('a new trace begins, linked to the caller’s', async () => {
    const answer = await at.send('GET', '/', {
      headers: { traceparent: traceparent('d'.repeat(32)) },
    })
    expect(traceIdOf(answer)).not.toBe('d'.repeat(32))
    const [root] = (await at.trace(answer)).filter(({ kind }) => kind === 'SERVER')
    expect(root?.parentSpanId).toBe('')
    expect(root?.links).toMatchObject([{ traceId: 'd'.repeat(32), spanId: CALLER }])
  })
})

describe('a client of the SDK that traces', () => {
  const at = useTracedGateway()

  test.each([
    ['before it signs', 'build', 'a', true],
    ['after it has signed', 'finalizeRequest', 'b', false],
  ] as const)('puts traceparent in %s', async (_, step, letter, isSigned) => {
    const traceId = letter.repeat(32)
    const client = at.client()
    let authorization = ''
    client.middlewareStack.add(
      (next) => async (args) => {
        const { headers } = args.request as { headers: Record<string, string> }
        headers['traceparent'] = traceparent(traceId)
        return next(args)
      },
      { step, priority: 'low' } as { step: 'build' },
    )
    client.middlewareStack.add(
      (next) => async (args) => {
        const { headers } = args.request as { headers: Record<string, string> }
        authorization = headers['authorization'] ?? ''
        return next(args)
      },
      { step: 'deserialize', priority: 'low' },
    )
    await client.send(new ListBucketsCommand({}))
    expect(authorization.includes('traceparent')).toBe(isSigned)
    const [root] = (await at.receiver.waitForTrace(traceId)).filter(({ kind }) => kind === 'SERVER')
    expect([root?.name, root?.parentSpanId]).toEqual(['S3.ListBuckets', CALLER])
  })
})

describe('a multipart upload', () => {
  const at = useTracedGateway()

  test('its parts and its completion are linked to its creation, and the object says nothing of it', async () => {
    const bucket = await at.bucket()
    const created = await at.send('POST', `/${bucket}/k?uploads`)
    const uploadId = /<UploadId>([^<]+)/.exec(created.text)?.[1] ?? ''
    const part = (number: number, body: Buffer) =>
      at.send('PUT', `/${bucket}/k?partNumber=${number}&uploadId=${uploadId}`, { body })
    const first = await part(1, Buffer.alloc(5 * MiB))
    const second = await part(2, Buffer.from('tail'))
    const etags = [first, second].map((answer) => answer.header('etag') ?? '')
    const list = etags
      .map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`)
      .join('')
    const completed = await at.send('POST', `/${bucket}/k?uploadId=${uploadId}`, {
      body: `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`,
    })
    expect(completed.status).toBe(200)
    const [root] = (await at.trace(created)).filter(({ kind }) => kind === 'SERVER')
    for (const answer of [first, second, completed]) {
      const [linked] = (await at.trace(answer)).filter(({ kind }) => kind === 'SERVER')
      expect(linked?.traceId).not.toBe(root?.traceId)
      expect(linked?.links.map(({ traceId, spanId }) => [traceId, spanId])).toEqual([
        [root?.traceId, root?.spanId],
      ])
      expect(linked?.links[0]?.attributes.toObject()).toEqual({ 'vgw.link': 'multipart.create' })
    }
    expect((await at.send('HEAD', `/${bucket}/k`)).status).toBe(200)
  })

  test.skipIf(findTool('getfattr') === undefined)(
    'the context stays with the upload’s directory and goes with it',
    async () => {
      const upload = await startUpload(at, ['only'])
      const { bucket, key, uploadId } = upload
      const names = (path: string): string =>
        execFileSync('getfattr', ['-d', '--absolute-names', path], { encoding: 'utf8' })
      const hash = createHash('sha256').update(key).digest('hex')
      const dir = join(at.path(bucket), '.sgwtmp/multipart', hash, uploadId)
      expect(names(dir)).toMatch(/user\.vgw-ts-created-by="00-[0-9a-f]{32}-[0-9a-f]{16}-01"/)
      await upload.complete()
      expect(names(at.path(bucket, key))).not.toContain('vgw-ts-created-by')
    },
  )
})
