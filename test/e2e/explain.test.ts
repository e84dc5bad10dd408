import { execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { useGateway, type Fixture } from '../support/fixture.ts'
import { runProgram } from '../support/gateway.ts'
import { openConnection, type RawResponse } from '../support/raw-http.ts'
import { throttledDisk } from '../support/throttled-disk.ts'
import { findPython } from '../support/tools.ts'
import { startVault, VAULT, type VaultServer } from '../support/vault-server.ts'

/** Slow requests whose cause is known, and what is said of them. */

const MIB = 1024 ** 2
const TOKEN = randomBytes(24).toString('hex')

interface Explained {
  readonly cause: string
  readonly sentence: string
  readonly verdict: string
  readonly facts: readonly string[]
  readonly phases: readonly { phase: string; ms: number }[]
}

/** What the viewer says of a request, which must add up whatever it says. */
async function explained(at: Fixture, answer: Pick<RawResponse, 'header'>): Promise<Explained> {
  const [, url = ''] = await at.gateway.waitFor(/viewer {6}(http:\/\/[\d.:]+)/)
  const id = answer.header('x-amz-request-id') ?? ''
  for (let tries = 0; ; tries++) {
    const found = await fetch(`${url}/api/traces/${id}`, {
      headers: { Authorization: `Bearer ${TOKEN}` },
    })
    // The trace ends when the answer has gone.
    if (found.status === 404 && tries < 100) {
      await sleep(20)
      continue
    }
    const { traces } = (await found.json()) as {
      traces: { durationMs: number; explanation: Explained }[]
    }
    const [trace] = traces
    if (trace === undefined) throw new Error(`no trace of ${id}`)
    const { explanation, durationMs } = trace
    expect(explanation.phases.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(durationMs, 3)
    return explanation
  }
}

const VIEWER = ['--viewer', '127.0.0.1:0']
const env = { VGW_VIEWER_TOKEN: TOKEN }

describe('a gateway in good health', () => {
  let vault: VaultServer
  let slowly: { readonly port: number; close(): void }
  beforeAll(async () => {
    vault = await startVault()
    slowly = await delayed(Number(new URL(vault.endpoint).port), 200)
  })
  afterAll(async () => {
    slowly.close()
    await vault[Symbol.asyncDispose]()
  })
  const at = useGateway(() => ({
    flags: [
      ...VIEWER,
      '--iam-vault-endpoint-url',
      `http://127.0.0.1:${slowly.port}`,
      '--iam-vault-mount-path',
      VAULT.mount,
      '--iam-vault-role-id',
      VAULT.roleId,
      '--iam-vault-role-secret',
      VAULT.secretId,
    ],
    posixFlags: ['--bucketlinks'],
    env,
  }))

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
    const { cause, sentence } = await explained(at, answer)
    expect(sentence).toMatch(
      /^\d+ ms: \d+ ms waiting for the client to send the body \([\d.]+ MB\/s\)/,
    )
    expect(cause).toBe('slow-client')
  })

  test('a client that takes slowly', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'k'), randomBytes(24 * MIB))
    const connection = await openConnection(at.gateway.port)
    connection.socket.pause()
    connection.write(at.head('GET', `/${bucket}/k`))
    await sleep(600)
    connection.socket.resume()
    const answer = await connection.response({ timeoutMs: 20_000 })
    connection.close()
    const { cause, sentence } = await explained(at, answer)
    expect(sentence).toMatch(/waiting for the client to take the answer/)
    expect(cause).toBe('slow-client')
  })

  test('a dropped page cache', async () => {
    const bucket = await at.bucket()
    const file = at.path(bucket, 'k')
    writeFileSync(file, randomBytes(48 * MIB))
    dropFromCache(file)
    const cold = await explained(at, await getAndForget(at, `/${bucket}/k`))
    expect(cold.sentence).toMatch(/reading 48 MiB from disk/)
    // What the disk behind it is capable of, and whether this client keeps up with it, is not known.
    expect(cold.cause).not.toBe('fast')
    expect(cold.facts[0]).toMatch(/^The data lies on \w+ \(.+\)\.$/)
    const warm = await explained(at, await getAndForget(at, `/${bucket}/k`))
    expect(warm.sentence).toMatch(/48 MiB from the page cache/)
    expect(['fast', 'unknown', 'slow-client']).toContain(warm.cause)
  })

  test('a directory of 30,000 entries', async () => {
    const bucket = `b-${randomBytes(6).toString('hex')}`
    const elsewhere = `/dev/shm/${bucket}`
    mkdirSync(elsewhere)
    try {
      symlinkSync(elsewhere, at.path(bucket))
      execFileSync('sh', ['-c', 'seq -f "key-%06.0f" 30000 | xargs touch'], { cwd: elsewhere })
      const answer = await at.send('GET', `/${bucket}?list-type=2&max-keys=10`)
      const { cause, sentence, verdict } = await explained(at, answer)
      expect(sentence).toMatch(/reading a directory of 30,000 entries/)
      expect(verdict).toMatch(/30,000 entries/)
      expect(cause).toBe('large-directory')
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
    expect(outside.cause).toBe('lock')
    const inside = await explained(at, await behind)
    const traceId = (await waiting).header('x-trace-id') ?? ''
    expect(inside.verdict).toContain(traceId)
    expect(inside.cause).toBe('lock')
  })

  test('an account store that takes its time', async () => {
    const secrets = { access: 'alice', secret: 'alice secret', role: 'user', userID: 0, groupID: 0 }
    vault.secrets.set(`:${VAULT.mount}/alice`, {
      versions: [{ alice: { ...secrets, projectID: 0 } }],
    })
    const answer = await at.send('GET', '/', {
      credentials: { access: 'alice', secret: 'alice secret' },
    })
    const { cause, sentence } = await explained(at, answer)
    expect(sentence).toMatch(/fetching the account from the account store \(vault\)/)
    expect(cause).toBe('remote-iam')
  })

  test('much to hash', async () => {
    const bucket = await at.bucket()
    const body = randomBytes(48 * MIB)
    const answer = await at.send('PUT', `/${bucket}/k`, {
      body,
      headers: {
        'Content-MD5': createHash('md5').update(body).digest('base64'),
        'x-amz-checksum-sha512': createHash('sha512').update(body).digest('base64'),
      },
      timeoutMs: 60_000,
    })
    expect(answer.status).toBe(200)
    const { cause, sentence, phases } = await explained(at, answer)
    expect(sentence).toMatch(/hashing 48 MiB/)
    expect(phases.find(({ phase }) => phase === 'hash')?.ms).toBeGreaterThan(25)
    // With other work on the same processors the body may come more slowly than it is hashed.
    expect(['hashing', 'unknown', 'slow-client']).toContain(cause)
  })

  test('nothing', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: 'hello' })
    const answers: string[] = []
    for (let i = 0; i < 5; i++)
      answers.push((await explained(at, await at.send('GET', `/${bucket}/k`))).cause)
    expect(answers).toContain('fast')
  })

  test('explain and traces say it on a terminal', async () => {
    const bucket = await at.bucket()
    const answer = await at.send('GET', `/${bucket}/${encodeURIComponent('\u001b[31mred')}`)
    await explained(at, answer)
    const [, url = ''] = await at.gateway.waitFor(/viewer {6}(http:\/\/[\d.:]+)/)
    const asked = { ...env, VGW_VIEWER_URL: url }
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

const disk = throttledDisk(256)

describe.skipIf(disk === undefined)('a gateway with one I/O thread on a slow disk', () => {
  // After the gateway has ended: of several the last is called first.
  afterAll(() => disk?.remove())
  const at = useGateway(() => ({
    flags: VIEWER,
    posixFlags: ['--io-threads', '1'],
    dir: disk?.dir ?? '',
    env,
  }))
  beforeAll(() => disk?.add(at.gateway.pid))

  test('a dropped page cache, where the disk is what most disks are', async () => {
    const bucket = await at.bucket()
    const file = at.path(bucket, 'k')
    writeFileSync(file, randomBytes(24 * MIB))
    dropFromCache(file)
    disk?.limit({ read: 40 * MIB })
    const answer = await getAndForget(at, `/${bucket}/k`)
    disk?.unlimit()
    const { cause, sentence } = await explained(at, answer)
    expect(sentence).toMatch(/reading 24 MiB from disk/)
    expect(cause).toBe('cold-cache')
  })

  test('a disk that reads slowly', async () => {
    const bucket = await at.bucket()
    const file = at.path(bucket, 'k')
    writeFileSync(file, randomBytes(4 * MIB))
    dropFromCache(file)
    disk?.limit({ read: 8 * MIB })
    const answer = await at.send('GET', `/${bucket}/k`)
    disk?.unlimit()
    const { cause, sentence } = await explained(at, answer)
    expect(sentence).toMatch(/reading 4 MiB from disk \(\d/)
    expect(cause).toBe('slow-disk')
  })

  test('an fsync on a busy disk, and who waits behind it', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/other`, { body: 'x' })
    disk?.limit({ write: 4 * MIB })
    const putting = at.send('PUT', `/${bucket}/k`, { body: randomBytes(4 * MIB) })
    const state = { isOver: false }
    const over = putting.finally(() => (state.isOver = true))
    // One of them comes while the only thread syncs.
    const behind: RawResponse[] = []
    while (!state.isOver && behind.length < 100) {
      behind.push(await at.send('GET', `/${bucket}/other`))
      await sleep(20)
    }
    const put = await over
    disk?.unlimit()
    const sync = await explained(at, put)
    expect(sync.sentence).toMatch(/fsync/)
    expect(sync.cause).toBe('slow-sync')
    const queued: Explained[] = []
    for (const answer of behind) queued.push(await explained(at, answer))
    const told = queued.filter(({ cause }) => cause === 'full-pool')
    expect(told.length).toBeGreaterThan(0)
    expect(told[0]?.sentence).toMatch(/ms waiting for a thread of the I\/O pool/)
  })
})

const HOLD = `
import fcntl, sys, time
f = open(sys.argv[1], 'r+')
fcntl.lockf(f, fcntl.LOCK_EX)
print('held', flush=True)
time.sleep(30)
`

/** posix_fadvise(2) with DONTNEED, by the only program everybody has that calls it. */
function dropFromCache(file: string): void {
  execFileSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], {
    stdio: 'pipe',
  })
}

/** A client that is as fast as can be: it looks at the head and throws the rest away. */
async function getAndForget(at: Fixture, target: string): Promise<Pick<RawResponse, 'header'>> {
  const socket = connectTcp(at.gateway.port, '127.0.0.1')
  socket.write(at.head('GET', target, { headers: { Connection: 'close' } }))
  const [first] = (await once(socket, 'data')) as [Buffer]
  const head = first.toString('latin1')
  socket.resume()
  await once(socket, 'close')
  return {
    header: (name) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1],
  }
}

/** A way to a port on which each piece takes its time. */
async function delayed(
  port: number,
  delayMs: number,
): Promise<{ readonly port: number; close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connectTcp(port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    near.on('data', (piece) => setTimeout(() => far.write(piece), delayMs))
    far.on('data', (piece) => near.write(piece))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP port')
  return {
    port: address.port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
