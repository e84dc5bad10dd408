import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import {
  EXPLAINS,
  addEntries,
  dropFromCache,
  expectCause,
  explained,
  getAndForget,
  viewerOf,
} from '../support/explained.ts'
import { useGateway } from '../support/fixture.ts'
import { runProgram } from '../support/gateway.ts'
import { openConnection } from '../support/raw-http.ts'
import { findPython } from '../support/tools.ts'

/** Slow requests whose cause is known, and what is said of them. */

const MIB = 1024 ** 2

describe('a gateway in good health', () => {
  // Other tests keep the disk busy: no cause is to be found in a sync.
  const at = useGateway({ ...EXPLAINS, posixFlags: ['--bucketlinks', '--durability', 'none'] })

  test('a client that sends slowly', async () => {
    const bucket = await at.bucket()
    const body = randomBytes(2 * MIB)
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('PUT', `/${bucket}/k`, { body }))
    for (let from = 0; from < body.length; from += MIB / 4) {
      await sleep(60)
      connection.write(body.subarray(from, from + MIB / 4))
    }
    const answer = await connection.response()
    connection.close()
    const told = await explained(at, answer)
    expect(told.sentence).toMatch(/^\d+ ms: .*\d+ ms waiting for the client to send the body/)
    expectCause(told, 'slow-client')
  })

  test('a client that takes slowly', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'k'), randomBytes(24 * MIB))
    const connection = await openConnection(at.gateway.port)
    connection.socket.pause()
    connection.write(at.head('GET', `/${bucket}/k`))
    await sleep(600)
    connection.socket.resume()
    const answer = await connection.response()
    connection.close()
    const told = await explained(at, answer)
    expect(told.sentence).toMatch(/waiting for the client to take the answer/)
    expectCause(told, 'slow-client')
  })

  test('a dropped page cache', async () => {
    const bucket = await at.bucket()
    const file = at.path(bucket, 'k')
    writeFileSync(file, randomBytes(48 * MIB))
    dropFromCache(file)
    const cold = await explained(at, await getAndForget(at, `/${bucket}/k`))
    expect(cold.sentence).toMatch(/reading 48 MiB from disk/)
    // What the disk behind it is capable of, and whether this client keeps up with it, is not known.
    expect(['cold-cache', 'slow-disk', 'slow-client', 'fast', 'unknown']).toContain(cold.cause)
    expect(cold.facts[0]).toMatch(/^The served directory lies on \w+ \(.+\)\.$/)
    const warm = await explained(at, await getAndForget(at, `/${bucket}/k`))
    expect(warm.sentence).toMatch(/48 MiB from the page cache/)
    expect(['fast', 'slow-client', 'unknown']).toContain(warm.cause)
  })

  test('a directory of 200,000 entries', async () => {
    const bucket = `b-${randomBytes(6).toString('hex')}`
    const elsewhere = `/dev/shm/${bucket}`
    mkdirSync(elsewhere)
    try {
      symlinkSync(elsewhere, at.path(bucket))
      addEntries(elsewhere, 200_000)
      const answer = await at.send('GET', `/${bucket}?list-type=2&max-keys=10`)
      const told = await explained(at, answer)
      expect(told.sentence).toMatch(/reading a directory of 200,000 entries/)
      expectCause(told, 'large-directory')
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })

  const python = findPython('fcntl')
  test.skipIf(python === undefined)('a held lock', async () => {
    const bucket = await at.bucket()
    const first = await at.send('PUT', `/${bucket}/k`, { body: 'first' })
    const headers = { 'If-Match': first.header('etag') ?? '' }
    // Makes the directory of locks.
    await at.send('PUT', `/${bucket}/k`, { body: 'first', headers })
    const byte = createHash('sha256').update('k').digest('hex').slice(0, 2)
    const holder = spawn(python ?? '', ['-c', HOLD, at.path(bucket, `.sgwtmp/locks/${byte}`)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    const waiting = at.send('PUT', `/${bucket}/k`, { body: 'first', headers })
    await sleep(100)
    const behind = at.send('PUT', `/${bucket}/k`, { body: 'first', headers })
    await sleep(400)
    holder.kill()
    const outside = await explained(at, await waiting)
    expect(outside.sentence).toMatch(/waiting for a lock that another process held/)
    expectCause(outside, 'lock')
    const inside = await explained(at, await behind)
    const traceId = (await waiting).header('x-trace-id') ?? ''
    expect(inside.sentence).toContain(`waiting for a lock that trace ${traceId} held`)
    expectCause(inside, 'lock')
  })

  test('much to hash', async () => {
    const bucket = await at.bucket()
    const body = randomBytes(64 * MIB)
    const answer = await at.send('PUT', `/${bucket}/k`, {
      body,
      payloadHash: 'UNSIGNED-PAYLOAD',
      headers: { 'x-amz-checksum-sha512': createHash('sha512').update(body).digest('base64') },
    })
    expect(answer.status).toBe(200)
    const { cause, sentence } = await explained(at, answer)
    expect(sentence).toMatch(/hashing 64 MiB/)
    // Where other work has the processors, the gateway may not have been running for most of the time, and says that.
    expect(['hashing', 'unknown']).toContain(cause)
    const copied = await at.send('PUT', `/${bucket}/copy`, {
      headers: { 'x-amz-copy-source': `/${bucket}/k`, 'x-amz-checksum-algorithm': 'SHA256' },
    })
    expect((await explained(at, copied)).sentence).toMatch(/hashing 64 MiB/)
  })

  test('a body that was there while the process was stopped', async () => {
    const bucket = await at.bucket()
    const body = randomBytes(MIB)
    const connection = await openConnection(at.gateway.port)
    connection.write(at.head('PUT', `/${bucket}/k`, { body, headers: { Expect: '100-continue' } }))
    while (!connection.pending().includes('100 Continue')) await once(connection.socket, 'data')
    process.kill(at.gateway.pid, 'SIGSTOP')
    connection.write(body)
    await sleep(400)
    process.kill(at.gateway.pid, 'SIGCONT')
    const answer = await connection.response()
    connection.close()
    const { cause, verdict } = await explained(at, answer)
    expect(cause).toBe('unknown')
    expect(verdict).toMatch(/For \d+ ms the gateway's process was not running/)
  })

  test('a document that comes late', async () => {
    const bucket = await at.bucket()
    const body = '<Delete><Object><Key>k</Key></Object></Delete>'
    const md5 = createHash('md5').update(body).digest('base64')
    const connection = await openConnection(at.gateway.port)
    connection.write(
      at.head('POST', `/${bucket}?delete`, { body, headers: { 'Content-MD5': md5 } }),
    )
    await sleep(300)
    connection.write(Buffer.from(body))
    const answer = await connection.response()
    connection.close()
    const told = await explained(at, answer)
    expect(told.sentence).toMatch(/waiting for the client to send the body/)
    expectCause(told, 'slow-client')
  })

  test('nothing', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: 'hello' })
    const causes = new Set<string>()
    for (let i = 0; i < 40 && !causes.has('fast'); i++)
      causes.add((await explained(at, await at.send('GET', `/${bucket}/k`))).cause)
    expect([...causes].filter((cause) => cause !== 'unknown')).toEqual(['fast'])
  })

  test('explain and traces say it on a terminal', async () => {
    const bucket = await at.bucket()
    const answer = await at.send('GET', `/${bucket}/${encodeURIComponent('\u001b[31mred')}`)
    await explained(at, answer)
    const url = await viewerOf(at)
    const asked = { ...EXPLAINS.env, VGW_VIEWER_URL: url }
    const traceId = answer.header('x-trace-id') ?? ''
    const byId = await runProgram(['explain', traceId, '--tree'], asked)
    expect(byId.stdout).toContain('└─ Backend.GetObject')
    expect(byId.stdout).toMatch(/\nCause: none, it was fast\.|\nCause/)
    expect(byId.stdout).not.toContain('\u001b')
    const last = await runProgram(['explain', '--last-error', '--bucket', bucket], asked)
    expect(last.stdout).toContain(traceId)
    const slowest = await runProgram(['explain', '--slowest', '--json', '--bucket', bucket], asked)
    expect(JSON.parse(slowest.stdout)[0].traceId).toBe(traceId)
    const listed = await runProgram(['traces', '--bucket', bucket], asked)
    expect(listed.stdout.split('\n')).toHaveLength(2)
    const { access, secret } = at.credentials
    const asAdmin = ['--access', access, '--secret', secret, '--viewer-url', url]
    expect((await runProgram(['traces', ...asAdmin])).stdout).toContain(traceId)
    const wrong = await runProgram(['traces', '--token', 'wrong', '--viewer-url', url])
    expect(wrong.stderr).toMatch(/the viewer answered 401/)
    const missing = await runProgram(['explain', '0'.repeat(32)], asked)
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/no trace of 0+ is held/),
    ])
    expect((await runProgram(['explain', 'nonsense'], asked)).code).toBe(2)
  })
})

const HOLD = `
import fcntl, sys, time
f = open(sys.argv[1], 'r+')
fcntl.lockf(f, fcntl.LOCK_EX)
print('held', flush=True)
time.sleep(30)
`
