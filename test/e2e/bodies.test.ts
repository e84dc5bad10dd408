import { PutObjectCommand } from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { useGateway, type RawRequest } from '../support/fixture.ts'
import { eventually } from '../support/process-facts.ts'
import { openConnection, type RawConnection } from '../support/raw-http.ts'
import { sha256 } from '../support/sigv4.ts'
import { strayFiles } from '../support/tree.ts'

const at = useGateway({ flags: ['--stall-timeout', '4s'] })
const body = randomBytes(200_000)
let bucket = ''

beforeEach(async () => {
  bucket = await at.bucket()
})

const stored = (): Buffer => readFileSync(at.path(bucket, 'k'))

/** The object that was there is there still, and nothing else. */
async function expectNothingChanged(): Promise<void> {
  await eventually(() => strayFiles(at.path(bucket)).length <= 1)
  expect(strayFiles(at.path(bucket))).toEqual(['k'])
  expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe('old')
}

describe('Bodies that end too early, too late or never', () => {
  beforeEach(async () => {
    await at.send('PUT', `/${bucket}/k`, { body: 'old' })
  })

  async function begin(request: RawRequest, target = `/${bucket}/k`): Promise<RawConnection> {
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('PUT', target, request))
    return connection
  }

  test.each(['UNSIGNED-PAYLOAD', 'a'.repeat(64)])(
    'abandoned half-way, %s (contract 9.2, 1)',
    async (payloadHash) => {
      const connection = await begin({ headers: { 'Content-Length': '1000000' }, payloadHash })
      connection.write(body)
      await delay(200)
      connection.close()
      await delay(300)
      await expectNothingChanged()
    },
  )

  test('half-closed half-way', async () => {
    const connection = await begin({
      headers: { 'Content-Length': '1000000' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    connection.socket.end(body)
    expect(await connection.ended()).toBe(true)
    await expectNothingChanged()
  })

  test('a part abandoned half-way', async () => {
    const { element } = await at.send('POST', `/${bucket}/mp?uploads`)
    const target = `/${bucket}/mp?partNumber=1&uploadId=${element('UploadId') ?? ''}`
    const connection = await begin(
      { headers: { 'Content-Length': '1000000' }, payloadHash: 'UNSIGNED-PAYLOAD' },
      target,
    )
    connection.write(body)
    await delay(200)
    connection.close()
    const left = () => strayFiles(at.path(bucket)).filter((path) => !path.endsWith('/'))
    await eventually(() => left().length <= 1)
    expect(left()).toEqual(['k'])
  })

  test('more bytes than were announced are another request, never this object', async () => {
    const connection = await begin({
      headers: { 'Content-Length': '3' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    connection.write('newGARBAGE\r\n\r\n')
    // What follows is refused, perhaps before the upload has been answered.
    const { status } = await connection.response()
    if (status === 200) expect((await connection.response()).status).toBe(400)
    else expect(status).toBe(400)
    expect(await connection.ended()).toBe(true)
    await delay(200)
    expect(['new', 'old']).toContain(stored().toString())
  })

  test('a body that stalls is ended', async () => {
    const started = Date.now()
    const connection = await begin({
      headers: { 'Content-Length': '1000000' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    connection.write(body)
    const { status, code } = await connection.response()
    expect([status, code]).toEqual([400, 'RequestTimeout'])
    expect(Date.now() - started).toBeGreaterThan(3500)
    connection.close()
    await expectNothingChanged()
  })

  test('a slow one that never stalls is not', async () => {
    const data = randomBytes(4000)
    const connection = await begin({
      headers: { 'Content-Length': '4000' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    for (let i = 0; i < 8; i++) {
      connection.write(data.subarray(i * 500, (i + 1) * 500))
      await delay(700)
    }
    expect((await connection.response()).status).toBe(200)
    connection.close()
    expect(Buffer.compare(stored(), data)).toBe(0)
  })

  test('a corrupted body of every size', async () => {
    for (const size of [1, 70_000, 3_000_000]) {
      const answer = await at.send('PUT', `/${bucket}/k`, {
        body: randomBytes(size),
        payloadHash: 'b'.repeat(64),
      })
      expect([answer.status, answer.code]).toEqual([400, 'XAmzContentSHA256Mismatch'])
    }
    await expectNothingChanged()
  })
})

describe('Expect: 100-continue', () => {
  const request: RawRequest = {
    headers: { Expect: '100-continue', 'Content-Length': '5' },
    payloadHash: 'UNSIGNED-PAYLOAD',
  }

  test('is answered once the request is known to be wanted', async () => {
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('PUT', `/${bucket}/k`, request))
    await eventually(() => connection.pending().length > 0)
    expect(connection.pending().toString()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    connection.write('hello')
    const { status, interim } = await connection.response()
    expect([status, interim]).toEqual([200, ['HTTP/1.1 100 Continue']])
    connection.close()
  })

  test.each([
    ['a wrong signature', { credentials: { access: 'VGWTESTACCESS', secret: 'wrong' } }, 403],
    ['no signature', { sign: false as const }, 403],
    [
      'a condition that cannot hold',
      { headers: { ...(request.headers as object), 'If-None-Match': '"x"' } },
      501,
    ],
  ])('%s: the answer comes without it', async (_, more, expected) => {
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('PUT', `/${bucket}/k`, { ...request, ...more }))
    const { status, interim, header } = await connection.response()
    expect([status, interim]).toEqual([expected, []])
    expect(header('connection')).toBe('close')
    expect(await connection.ended()).toBe(true)
  })
})

test('an SDK with an HTTP server between that cuts the connection leaves nothing', async () => {
  // A proxy that passes the head and half of the body on, then goes away.
  const proxy = createServer((request, response) => {
    const upstream = openConnection(at.gateway.port)
    void upstream.then((connection) => {
      const lines = request.rawHeaders.flatMap((text, i, all) =>
        i % 2 === 0 ? [`${text}: ${all[i + 1] ?? ''}\r\n`] : [],
      )
      connection.write(
        `${request.method ?? ''} ${request.url ?? ''} HTTP/1.1\r\n${lines.join('')}\r\n`,
      )
      request.once('data', (piece: Buffer) => {
        connection.write(piece)
        setTimeout(() => {
          connection.close()
          response.destroy()
        }, 100)
      })
    })
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  const s3 = at.client({ endpoint: `http://127.0.0.1:${port}` })
  await expect(
    s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'k', Body: randomBytes(5_000_000) })),
  ).rejects.toThrow()
  proxy.closeAllConnections()
  proxy.close()
  await delay(300)
  await eventually(() => strayFiles(at.path(bucket)).length === 0)
  expect(strayFiles(at.path(bucket))).toEqual([])
})

test('a document that is not what was signed is told so before that it lacks a checksum (contract 4.2, 8)', async () => {
  const signed = { payloadHash: sha256('another document') }
  const wrong = await at.send('PUT', `/${bucket}?tagging`, { body: '<Tagging/>', ...signed })
  expect([wrong.status, wrong.code]).toEqual([400, 'XAmzContentSHA256Mismatch'])
  const unchecked = await at.send('PUT', `/${bucket}?tagging`, { body: '<Tagging/>' })
  expect([unchecked.status, unchecked.code]).toEqual([400, 'InvalidRequest'])
})
