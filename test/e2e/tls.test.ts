import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checksum } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { openConnection } from '../support/raw-http.ts'
import { misplaced, spanNamed } from '../support/span-tree.ts'
import { useTracedGateway } from '../support/traced.ts'
import { findPython, run } from '../support/tools.ts'

const body = randomBytes(200_000)
const UNSIGNED_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'

describe('TLS', () => {
  const dir = mkdtempSync(join(tmpdir(), 'vgw-tls-'))
  const { key, cert } = makeCertificate()
  const files = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem') }
  writeFileSync(files.key, key)
  writeFileSync(files.cert, cert)
  const tls = useGateway({ tls: files })
  afterAll(() => rmSync(dir, { recursive: true }))

  test('the SDK sends trailers over TLS, and they are verified', async () => {
    const s3 = tls.client({
      requestHandler: { httpsAgent: new Agent({ ca: cert }) },
    })
    const where = { Bucket: await tls.bucket(), Key: 'k' }
    const { ChecksumCRC32 } = await s3.send(new PutObjectCommand({ ...where, Body: body }))
    expect(ChecksumCRC32).toBe(checksum('CRC32', body))
    const { Body } = await s3.send(new GetObjectCommand(where))
    expect(Buffer.compare(Buffer.from((await Body?.transformToByteArray()) ?? []), body)).toBe(0)
  })

  const python = findPython('boto3')
  test.skipIf(python === undefined)('boto3 with its default trailing checksum', async () => {
    const name = await tls.bucket()
    const script = `
import boto3, os, sys
s3 = boto3.client('s3', endpoint_url=sys.argv[1], region_name='us-east-1')
sent = []
s3.meta.events.register('before-send.s3.PutObject', lambda request, **_: sent.append(dict(request.headers)))
data = os.urandom(3_000_000)
s3.put_object(Bucket=sys.argv[2], Key='k', Body=data)
assert s3.get_object(Bucket=sys.argv[2], Key='k')['Body'].read() == data
print({k.lower(): v for k, v in sent[0].items()}['x-amz-content-sha256'])
`
    const { stdout } = await run(python ?? '', ['-c', script, tls.gateway.endpoint, name], {
      env: {
        AWS_ACCESS_KEY_ID: tls.credentials.access,
        AWS_SECRET_ACCESS_KEY: tls.credentials.secret,
        AWS_CA_BUNDLE: files.cert,
      },
    })
    expect(stdout).toContain(UNSIGNED_TRAILER)
  })

  test('a large object both ways', async () => {
    const where = await tls.bucket()
    const large = randomBytes(12_000_000)
    expect(
      (await tls.send('PUT', `/${where}/large`, { body: large, payloadHash: 'UNSIGNED-PAYLOAD' }))
        .status,
    ).toBe(200)
    const got = await tls.send('GET', `/${where}/large`)
    expect(Buffer.compare(got.body, large)).toBe(0)
    const range = await tls.send('GET', `/${where}/large`, {
      headers: { Range: 'bytes=5000000-9000000' },
    })
    expect(Buffer.compare(range.body, large.subarray(5_000_000, 9_000_001))).toBe(0)
  })

  const traced = useTracedGateway({ tls: files })
  test('a large answer is read, not sent by descriptor, and its trace is whole', async () => {
    const where = await traced.bucket()
    await traced.send('PUT', `/${where}/large`, { body: Buffer.alloc(3_000_000) })
    const spans = await traced.trace(await traced.send('GET', `/${where}/large`))
    expect(misplaced(spans)).toEqual([])
    expect(spanNamed(spans, 'Posix.IO.ReadData').attributes.toObject()).toMatchObject({
      'posix.bytes_read': 3_000_000,
      'posix.range_start': 0,
      'posix.duration_ms': expect.any(Number) as number,
      'posix.queue_ms': expect.any(Number) as number,
      'posix.throughput_mbps': expect.any(Number) as number,
    })
  })

  test('plain HTTP is not answered', async () => {
    const connection = await openConnection(tls.gateway.port)
    connection.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await connection.ended()).toBe(true)
    connection.close()
  })
})
