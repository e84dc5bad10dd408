import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'

const at = useGateway({ flags: ['--viewer', '127.0.0.1:0'] })

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** The viewer's address and token, as printed at the start. */
function viewer(): { port: number; token: string } {
  const [, port = '', token = ''] =
    /viewer {6}http:\/\/127\.0\.0\.1:(\d+)\/#token=(\S+)/.exec(at.gateway.stdout) ?? []
  return { port: Number(port), token }
}

function ask(
  path: string,
  {
    method = 'GET',
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port } = viewer()
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function get(path: string): Promise<never> {
  const { status, text } = await ask(path, {
    headers: { Authorization: `Bearer ${viewer().token}` },
  })
  expect(text === '' ? status : `${status} ${text}`).toMatch(/^200 /)
  return JSON.parse(text) as never
}

interface Rows {
  readonly traces: readonly Record<string, string | number>[]
  readonly next?: string
}

interface Operation {
  readonly operation: string
  readonly requests: readonly number[]
  readonly clientErrors: readonly number[]
  readonly bytesIn: readonly number[]
  readonly bytesOut: readonly number[]
  readonly latency: readonly (readonly number[])[]
}

interface Hour {
  readonly slots: number
  readonly operations: readonly Operation[]
  readonly latencyBoundsMs: readonly number[]
}

describe('traces by JSON', () => {
  test('a request is listed, filtered, and told whole, with tracing off', async () => {
    const bucket = await at.bucket()
    const put = await at.send('PUT', `/${bucket}/dir/k`, { body: 'hello' })
    const missing = await at.send('GET', `/${bucket}/nix`)
    const traceId = put.header('x-trace-id') ?? ''
    const requestId = put.header('x-amz-request-id') ?? ''

    const list: Rows = await get(`/api/traces?bucket=${bucket}`)
    expect(list.traces.map(({ operation, status }) => [operation, status])).toEqual([
      ['GetObject', 404],
      ['PutObject', 200],
    ])
    expect(list.traces[1]).toMatchObject({
      traceId,
      requestId,
      bucket,
      key: 'dir/k',
      bytes: 5,
      access: at.credentials.access,
    })
    expect(list.traces[0]).toMatchObject({ error: 'NoSuchKey' })

    const only = async (filter: string): Promise<unknown> => {
      const { traces }: Rows = await get(`/api/traces?bucket=${bucket}&${filter}`)
      return traces.map(({ operation }) => operation)
    }
    expect(await only('operation=PutObject')).toEqual(['PutObject'])
    expect(await only('operation=s3.putobject')).toEqual(['PutObject'])
    expect(await only('prefix=dir/')).toEqual(['PutObject'])
    expect(await only('status=4xx')).toEqual(['GetObject'])
    expect(await only('status=error')).toEqual(['GetObject'])
    expect(await only(`id=${traceId}`)).toEqual(['PutObject'])
    expect(await only(`id=${missing.header('x-amz-request-id')}`)).toEqual(['GetObject'])
    expect(await only('access=nobody')).toEqual([])
    expect(await only('minMs=60000')).toEqual([])

    for (const id of [traceId, requestId]) {
      const { traces }: { traces: Record<string, never>[] } = await get(`/api/traces/${id}`)
      expect(traces).toHaveLength(1)
      const tree: { name: string; level: number; parent: number }[] = traces[0]?.['tree'] ?? []
      expect(tree[0]).toMatchObject({ name: 'S3.PutObject', level: 0, parent: -1 })
      expect(tree.map(({ name }) => name)).toContain('Posix.IO.LinkFile')
    }
  })

  test('pages of the list do not overlap and lead to the end', async () => {
    const bucket = await at.bucket()
    for (let i = 0; i < 7; i++) await at.send('GET', `/${bucket}/${i}`)
    const keys: unknown[] = []
    let before = ''
    for (let page = 0; page < 10; page++) {
      const { traces, next }: Rows = await get(
        `/api/traces?operation=GetObject&bucket=${bucket}&limit=3${before}`,
      )
      keys.push(...traces.map(({ key }) => key))
      if (next === undefined) break
      before = `&before=${next}`
    }
    expect(keys).toEqual(['6', '5', '4', '3', '2', '1', '0'])
  })

  test('OTLP JSON to download', async () => {
    const bucket = await at.bucket()
    const put = await at.send('PUT', `/${bucket}/k`, { body: 'hello' })
    const id = put.header('x-trace-id') ?? ''
    const { headers, text } = await ask(`/api/traces/${id}/otlp`, {
      headers: { Authorization: `Bearer ${viewer().token}` },
    })
    expect(headers['content-disposition']).toBe(`attachment; filename="trace-${id}.json"`)
    const { resourceSpans } = JSON.parse(text)
    const [root] = resourceSpans[0].scopeSpans[0].spans
    expect(root).toMatchObject({ traceId: id, name: 'S3.PutObject', kind: 2 })
    expect(root.startTimeUnixNano).toMatch(/^\d{19}$/)
    expect(root.attributes).toContainEqual({ key: 's3.bucket', value: { stringValue: bucket } })
    expect(root.attributes).toContainEqual({ key: 'http.status_code', value: { intValue: '200' } })
  })

  test('new traces are told as they come', async () => {
    const bucket = await at.bucket()
    const { port, token } = viewer()
    const seen = await new Promise<string>((resolve, reject) => {
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port,
          path: `/api/follow?bucket=${bucket}&operation=PutObject`,
          headers: { Authorization: `Bearer ${token}` },
        },
        (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString()
            if (!text.includes('event: traces')) return
            request.destroy()
            resolve(text)
          })
          // What was there before is no news: wait until it follows.
          const put = (): void => {
            if (text.includes('event: traces')) return
            at.send('PUT', `/${bucket}/k`, { body: 'x' }).then(() => setTimeout(put, 300), reject)
          }
          put()
        },
      )
      request.on('error', (error) => {
        if (!request.destroyed) reject(error)
      })
      request.end()
    })
    expect(seen).toMatch(/event: traces\ndata: \{"traces":\[\{.*"operation":"PutObject"/)
  })

  test('the last hour by operation', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: 'x'.repeat(1000) })
    await at.send('GET', `/${bucket}/k`)
    await at.send('GET', `/${bucket}/nix`)
    const { operations, latencyBoundsMs, slots }: Hour = await get('/api/activity?group=360')
    expect(slots).toBe(1)
    const named = (name: string): Operation | undefined =>
      operations.find(({ operation }) => operation === name)
    const gets = named('S3.GetObject')
    expect(gets?.requests[0]).toBeGreaterThanOrEqual(2)
    expect(gets?.clientErrors[0]).toBeGreaterThanOrEqual(1)
    expect(gets?.bytesOut[0]).toBeGreaterThanOrEqual(1000)
    expect(named('S3.PutObject')?.bytesIn[0]).toBeGreaterThanOrEqual(1000)
    const bins = gets?.latency[0] ?? []
    const counted = bins.filter((_, i) => i % 2 === 1).reduce((sum, n) => sum + n, 0)
    expect(counted).toBe(gets?.requests[0])
    expect(latencyBoundsMs[bins[0] ?? 0]).toBeGreaterThan(0.04)
  })
})

describe('who may look', () => {
  const status = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
    (await ask(path, { headers })).status
  const basic = (access: string, secret: string): Record<string, string> => ({
    Authorization: `Basic ${Buffer.from(`${access}:${secret}`).toString('base64')}`,
  })

  test('nobody without token or account', async () => {
    for (const path of ['gateway', 'traces', 'follow', 'activity', `traces/${'0'.repeat(32)}`])
      expect(await status(`/api/${path}`)).toBe(401)
    expect(await status('/api/traces', { Authorization: 'Bearer wrong' })).toBe(401)
    expect(await status('/api/traces', { Authorization: 'Bearer' })).toBe(401)
    expect(await status('/api/traces', { Cookie: 'vgw-viewer-0=x' })).toBe(401)
    const { access, secret } = at.credentials
    expect(await status('/api/traces', basic(access, 'wrong'))).toBe(401)
    expect(await status('/api/traces', basic('nobody', ''))).toBe(401)
    expect(await status('/api/traces', basic(access, secret))).toBe(200)
  })

  test('a session by cookie, until it is closed', async () => {
    const { token } = viewer()
    const open = await ask('/api/session', { method: 'POST', body: JSON.stringify({ token }) })
    expect(open.status).toBe(204)
    const [cookie = ''] = open.headers['set-cookie'] ?? []
    expect(cookie).toMatch(
      /^vgw-viewer-\w+=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    )
    const headers = { Cookie: cookie.split(';')[0] ?? '' }
    expect(await status('/api/gateway', headers)).toBe(200)
    expect((await ask('/api/session', { method: 'DELETE', headers })).status).toBe(204)
    expect(await status('/api/gateway', headers)).toBe(401)
    const wrong = await ask('/api/session', { method: 'POST', body: '{"token":"wrong"}' })
    expect(wrong.status).toBe(401)
    for (const body of ['', '[]', '{"token":1}', '{"access":"a"}', 'x'.repeat(5000)])
      expect((await ask('/api/session', { method: 'POST', body })).status).toBe(400)
  })

  test('other origins, other sites and other host names are refused', async () => {
    const headers = { Authorization: `Bearer ${viewer().token}` }
    const { port } = viewer()
    expect(await status('/api/traces', { ...headers, Host: 'attacker.example' })).toBe(403)
    expect(await status('/', { Host: `attacker.example:${port}` })).toBe(403)
    expect(await status('/api/traces', { ...headers, Host: `localhost:${port}` })).toBe(200)
    expect(await status('/api/traces', { ...headers, Host: `[::1]:${port}` })).toBe(200)
    expect(await status('/api/traces', { ...headers, Origin: 'http://attacker.example' })).toBe(403)
    expect(await status('/api/traces', { ...headers, Origin: 'null' })).toBe(403)
    expect(await status('/api/traces', { ...headers, 'Sec-Fetch-Site': 'cross-site' })).toBe(403)
    expect(
      await status('/api/traces', {
        ...headers,
        Origin: `http://127.0.0.1:${port}`,
        Host: `127.0.0.1:${port}`,
      }),
    ).toBe(200)
  })

  test('every answer is fit for a browser', async () => {
    for (const path of ['/', '/api/traces', '/nix']) {
      const { headers } = await ask(path)
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self';/)
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['cache-control']).toBe('no-store')
      expect(headers['referrer-policy']).toBe('no-referrer')
    }
  })

  test('what cannot be meant is told', async () => {
    const headers = { Authorization: `Bearer ${viewer().token}` }
    const bad = [
      'limit=0',
      'limit=x',
      'minMs=-1',
      'status=7xx',
      'before=x',
      `bucket=${'b'.repeat(3000)}`,
    ]
    for (const query of bad) expect(await status(`/api/traces?${query}`, headers)).toBe(400)
    expect(await status(`/api/traces/${'0'.repeat(32)}`, headers)).toBe(404)
    expect(await status('/api/traces/nix', headers)).toBe(404)
    expect((await ask('/api/traces', { method: 'PUT', headers })).status).toBe(405)
  })

  test('too many requests at once are told to wait', async () => {
    const answers: Answer[] = []
    for (let round = 0; round < 6; round++)
      answers.push(...(await Promise.all(Array.from({ length: 50 }, () => ask('/api/nix')))))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(20)
    expect(refused[0]?.headers['retry-after']).toBe('1')
    // Who has asked too much may still open the page.
    expect((await ask('/')).status).toBe(200)
  })
})
