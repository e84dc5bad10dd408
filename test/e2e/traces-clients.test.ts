import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { ReceivedSpan } from '../support/otlp-protobuf.ts'
import { eventually } from '../support/process-facts.ts'
import { formType } from '../support/post-form.ts'
import { openConnection, type RawConnection } from '../support/raw-http.ts'
import { spanNamed } from '../support/span-tree.ts'
import { useTracedGateway } from '../support/traced.ts'

const STALL_MS = 1000
const at = useTracedGateway({ flags: ['--stall-timeout', `${STALL_MS}ms`, '--max-requests', '2'] })

/** The caller's header, by which the trace is found where there is no answer to tell its id. */
function traced(): { readonly traceId: string; readonly headers: Record<string, string> } {
  const traceId = randomBytes(16).toString('hex')
  return { traceId, headers: { traceparent: `00-${traceId}-${'1'.repeat(16)}-01` } }
}

async function begin(method: string, target: string, headers: Record<string, string>) {
  const connection = await openConnection(at.gateway.port)
  connection.write(at.head(method, target, { headers, payloadHash: 'UNSIGNED-PAYLOAD' }))
  return connection
}

const clientWait = (root: ReceivedSpan): number => Number(root.attributes.get('vgw.client_wait_ms'))

describe('A client that sends no more', () => {
  test.each([
    ['PutObject', '/k'],
    ['PutBucketPolicy', '?policy'],
  ])('%s: the wait until it is given up stands at the root (3.1)', async (operation, target) => {
    const bucket = await at.bucket()
    const connection = await begin('PUT', `/${bucket}${target}`, { 'Content-Length': '1000000' })
    connection.write('some bytes')
    const answer = await connection.response()
    expect(answer.code).toBe('RequestTimeout')
    const root = spanNamed(await at.trace(answer), `S3.${operation}`)
    expect(clientWait(root)).toBeGreaterThanOrEqual(STALL_MS)
    connection.close()
  })

  test('a form: before anybody knows who sends it', async () => {
    const connection = await openConnection(at.gateway.port)
    const head = ['Host: x', 'Content-Length: 1000000', `Content-Type: ${formType()}`]
    connection.write(`POST /some-bucket HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`)
    const answer = await connection.response()
    expect(answer.code).toBe('RequestTimeout')
    const root = spanNamed(await at.trace(answer), 'S3.PostObject')
    expect(clientWait(root)).toBeGreaterThanOrEqual(STALL_MS)
    connection.close()
  })

  test('the wait until it has gone, too', async () => {
    const bucket = await at.bucket()
    const { traceId, headers } = traced()
    const connection = await begin('PUT', `/${bucket}/k`, { ...headers, 'Content-Length': '10' })
    connection.socket.end()
    const root = spanNamed(await at.receiver.waitForTrace(traceId), 'S3.PutObject')
    expect(root.attributes.get('error.type')).toBe('IncompleteBody')
    expect(clientWait(root)).toBeGreaterThan(0)
    connection.close()
  })
})

test('a client that left before the answer was over has an address and a port all the same (3.1)', async () => {
  const bucket = await at.bucket()
  writeFileSync(at.path(bucket, 'k'), Buffer.alloc(30_000_000))
  const { traceId, headers } = traced()
  const { socket } = await begin('GET', `/${bucket}/k`, headers)
  await once(socket, 'data')
  socket.resetAndDestroy()
  const root = spanNamed(await at.receiver.waitForTrace(traceId), 'S3.GetObject')
  expect(root.attributes.toObject()).toMatchObject({
    'client.address': '127.0.0.1',
    'server.port': at.gateway.port,
  })
})

describe('A request that is refused before it is read tells where it came from (3.1)', () => {
  test.each([
    ['an escape that is none', '/some-bucket/%zz?list-type=2', '/some-bucket/%zz', 'list-type=2'],
    ['a target that is no path', 'http://me:secret@host/k', '/', undefined],
  ])('%s', async (_, target, path, query) => {
    const answer = await at.send('GET', target, { sign: false })
    expect(answer.code).toBe('InvalidURI')
    const root = spanNamed(await at.trace(answer), 'S3.Unknown')
    expect(root.attributes.toObject()).toMatchObject({
      'http.url': path,
      'url.path': path,
      'http.client_ip': '127.0.0.1',
      'client.address': '127.0.0.1',
      'server.address': '127.0.0.1',
      'server.port': at.gateway.port,
    })
    expect(root.attributes.get('url.query')).toBe(query)
    const line = `127.0.0.1 | GET | ${path} | InvalidURI`
    await at.gateway.waitFor(new RegExp(line.replaceAll('|', '\\|')))
  })

  test('one too many', async () => {
    const bucket = await at.bucket()
    const waiting: RawConnection[] = []
    for (const key of ['a', 'b'])
      waiting.push(await begin('PUT', `/${bucket}/${key}`, { 'Content-Length': '10' }))
    let refused = await at.send('GET', `/${bucket}/k`)
    // Until both have arrived.
    await eventually(async () => {
      refused = await at.send('GET', `/${bucket}/k`)
      return refused.status === 503
    })
    const root = spanNamed(await at.trace(refused), 'S3.Unknown')
    expect(root.attributes.toObject()).toMatchObject({
      'error.type': 'SlowDown',
      'url.path': `/${bucket}/k`,
      'client.address': '127.0.0.1',
    })
    for (const connection of waiting) connection.close()
  })
})
