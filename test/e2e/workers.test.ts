import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { accountDirectory, accountXml, admin, createAccount } from '../support/admin.ts'
import { useGateway } from '../support/fixture.ts'
import { freePort, runProgram, scratch, startGateway } from '../support/gateway.ts'
import { completeXml, startUpload } from '../support/multipart.ts'
import { eventually } from '../support/process-facts.ts'
import { openConnection } from '../support/raw-http.ts'
import { strayFiles } from '../support/tree.ts'

const WORKERS = 4
const dir = mkdtempSync(join(scratch(), 'vgw-workers-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** The workers of a gateway, as the kernel knows them. */
function workersOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number)
}

function isAlive(pid: number): boolean {
  return (
    existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  )
}

describe('four workers, one gateway', () => {
  const iam = accountDirectory()
  const abstract = `vgw-workers-${randomBytes(6).toString('hex')}`
  const socket = join(dir, 's3.sock')
  const at = useGateway({
    flags: [
      `--workers=${WORKERS}`,
      `--port=${socket}`,
      `--port=@${abstract}`,
      '--socket-perm=0640',
      `--iam-dir=${iam}`,
    ],
  })

  test('serve the same listeners; the start is told once', async () => {
    await at.gateway.waitFor(/tracing .*\n/)
    const { stdout, pid } = at.gateway
    expect(workersOf(pid)).toHaveLength(WORKERS)
    expect(stdout.match(/^versitygw-ts /gm)).toHaveLength(1)
    expect(stdout.match(/^initializing internal IAM/gm)).toHaveLength(1)
    expect(stdout).toMatch(
      new RegExp(
        `^  listening   http://127.0.0.1:${at.gateway.port}  unix:${socket}  unix:@${abstract}$`,
        'm',
      ),
    )
    expect(statSync(socket).mode & 0o777).toBe(0o640)
    for (const socketPath of [socket, `\0${abstract}`]) {
      const sent = request({ socketPath, path: '/' })
      sent.end()
      const [answer] = await once(sent, 'response')
      expect(answer.statusCode).toBe(403)
      answer.resume()
    }
  })

  test('If-None-Match: * lets one of many writers through', async () => {
    const bucket = await at.bucket()
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, i) =>
          at.send('PUT', `/${bucket}/k${round}`, {
            headers: { 'If-None-Match': '*' },
            body: `writer ${i}`,
          }),
        ),
      )
      const winners = answers.flatMap(({ status }, i) => (status === 200 ? [i] : []))
      expect(winners).toHaveLength(1)
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 412]))
      expect((await at.send('GET', `/${bucket}/k${round}`)).text).toBe(`writer ${winners[0]}`)
    }
    expect(strayFiles(at.path(bucket))).toHaveLength(5)
  })

  test('If-Match: of all who replace the same object one does, again and again', async () => {
    const bucket = await at.bucket()
    let etag = (await at.send('PUT', `/${bucket}/k`, { body: 'first' })).header('etag') ?? ''
    for (let round = 0; round < 5; round++) {
      const before = etag
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, i) =>
          at.send('PUT', `/${bucket}/k`, {
            headers: { 'If-Match': before },
            body: `${round}.${i}`,
          }),
        ),
      )
      const winners = answers.filter(({ status }) => status === 200)
      expect(winners).toHaveLength(1)
      etag = winners[0]?.header('etag') ?? ''
      expect((await at.send('HEAD', `/${bucket}/k`)).header('etag')).toBe(etag)
    }
  })

  test('parts go to any worker, and an upload is completed once', async () => {
    const bucket = await at.bucket()
    const upload = await startUpload(at, [], { bucket, key: 'mp' })
    const bodies = Array.from({ length: 6 }, (_, i) => Buffer.alloc(5 * 1024 * 1024, i))
    const parts = await Promise.all(
      bodies.map(async (body, i) => {
        const { header } = await upload.part(i + 1, body)
        return { number: i + 1, etag: header('etag') ?? '' }
      }),
    )
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => upload.complete(completeXml(parts))),
    )
    // A second completion of what is completed already may be told so; none may fail half-way.
    expect(answers.some(({ status }) => status === 200)).toBe(true)
    for (const { status, code } of answers)
      expect([status, code]).toEqual(status === 200 ? [200, undefined] : [404, 'NoSuchUpload'])
    expect((await at.send('GET', `/${bucket}/mp`)).body.equals(Buffer.concat(bodies))).toBe(true)
    expect(strayFiles(at.path(bucket))).toEqual(['mp'])
  })

  test('an account is made once, and what is changed through one worker holds in all at once', async () => {
    const bucket = await at.bucket()
    const account = { access: 'alice', secret: 'first secret', role: 'admin' }
    const made = await Promise.all(
      Array.from({ length: 12 }, () => admin(at, '/create-user', { body: accountXml(account) })),
    )
    expect(made.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(made.filter(({ status }) => status === 409)).toHaveLength(11)
    /** Each worker in turn, twice over. */
    const everywhere = async (secret: string): Promise<readonly number[]> => {
      const statuses = new Set<number>()
      for (let i = 0; i < 2 * WORKERS; i++)
        statuses.add(
          (await at.send('HEAD', `/${bucket}`, { credentials: { access: 'alice', secret } }))
            .status,
        )
      return [...statuses]
    }
    expect(await everywhere('first secret')).toEqual([200])
    await admin(at, '/update-user?access=alice', {
      body: '<MutableProps><Secret>second secret</Secret></MutableProps>',
    })
    expect(await everywhere('first secret')).toEqual([403])
    expect(await everywhere('second secret')).toEqual([200])
    expect((await admin(at, '/delete-user?access=alice')).status).toBe(200)
    expect(await everywhere('second secret')).toEqual([403])
    await createAccount(at, { ...account, secret: 'third secret' })
    expect(await everywhere('third secret')).toEqual([200])
  })

  test('A14: guesses count wherever they arrive', async () => {
    const guess = { access: 'nobody', secret: 'x' }
    for (let i = 0; i < 8; i++) await at.send('GET', '/', { credentials: guess })
    const startMs = performance.now()
    await Promise.all(
      Array.from({ length: WORKERS }, () => at.send('GET', '/', { credentials: guess })),
    )
    // Each of four counts of its own would be free of any delay.
    expect(performance.now() - startMs).toBeGreaterThan(80)
  })

  test('lines of the log are whole, however long', async () => {
    const bucket = await at.bucket()
    const keys = Array.from({ length: 200 }, (_, i) => `${i}-${'%C3%A4'.repeat(100 + i)}`)
    await Promise.all(keys.map((key) => at.send('HEAD', `/${bucket}/${key}`)))
    const lines = (): readonly string[] =>
      at.gateway.stdout.split('\n').filter((line) => line.includes(` HEAD | /${bucket}/`))
    expect(await eventually(() => lines().length === keys.length)).toBe(true)
    for (const key of keys)
      expect(lines().filter((line) => line.includes(`/${bucket}/${key} |`))).toHaveLength(1)
    expect(at.gateway.stdout.split('\n').every((line) => line.split(' | vgw | ').length <= 2)).toBe(
      true,
    )
  })

  test('one that is killed is replaced, and the others go on', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    const before = workersOf(at.gateway.pid)
    process.kill(before[0] ?? 0, 'SIGKILL')
    // What had been handed to it is cut off, at once; all the rest is served.
    const lost = []
    for (let i = 0; i < 20; i++) {
      const answer = await at.send('GET', `/${bucket}/k`).catch(String)
      if (typeof answer === 'string') lost.push(answer)
      else expect(answer.text).toBe('x')
    }
    expect(lost.length).toBeLessThan(3)
    expect(lost.filter((why) => why.includes('ms passed'))).toEqual([])
    const [line] = await at.gateway.waitFor(/^.*a worker ended.*$/m)
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      worker: expect.any(Number) as number,
      signal: 'SIGKILL',
      delay_ms: 100,
    })
    expect(await eventually(() => workersOf(at.gateway.pid).length === WORKERS)).toBe(true)
    expect(workersOf(at.gateway.pid)).not.toContain(before[0])
    expect((await at.send('GET', `/${bucket}/k`)).text).toBe('x')
  })

  test('all killed at once: the same places are listened at again', async () => {
    const before = workersOf(at.gateway.pid)
    for (const pid of before) process.kill(pid, 'SIGKILL')
    expect(
      await eventually(() => {
        const now = workersOf(at.gateway.pid)
        return now.length === WORKERS && now.every((pid) => !before.includes(pid))
      }),
    ).toBe(true)
    expect(await eventually(() => reaches(socket))).toBe(true)
    expect(
      await eventually(
        async () => (await at.send('GET', '/').catch(() => undefined))?.status === 200,
      ),
    ).toBe(true)
    expect(statSync(socket).mode & 0o777).toBe(0o640)
  })

  test('SIGTERM: requests in flight are answered, then all processes and sockets are gone', async () => {
    const bucket = await at.bucket()
    const { pid } = at.gateway
    const workers = workersOf(pid)
    const half = await openConnection(at.gateway.port)
    half.write(
      at.head('PUT', `/${bucket}/late`, {
        headers: { 'Content-Length': '10', Expect: '100-continue' },
        payloadHash: 'UNSIGNED-PAYLOAD',
      }),
    )
    await eventually(() => half.pending().includes('100 Continue'))
    half.write('01234')
    const stopped = at.gateway.stop()
    await at.gateway.waitFor(/shutting down/)
    half.write('56789')
    expect((await half.response()).status).toBe(200)
    half.close()
    expect(await stopped).toEqual({ code: 0, signal: null })
    expect(workers.filter(isAlive)).toEqual([])
    expect(existsSync(socket)).toBe(false)
    expect(at.gateway.stderr.match(/caught signal/g)).toHaveLength(1)
  })
})

function reaches(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(path, () => resolve(true)).on('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

describe('the start of several workers', () => {
  test('what goes wrong in all of them is said once, and none is left', async () => {
    const port = await freePort()
    const taken = await startGateway({
      flags: ['--workers', '2', '--quiet', '--port', `127.0.0.1:${port}`],
    })
    await using running = taken
    await eventually(() => reachesPort(port))
    const { code, stdout, stderr } = await runProgram([
      '--workers',
      '3',
      '--port',
      `127.0.0.1:${port}`,
      'posix',
      running.dir,
    ])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^\S+ \S+ port \d+ is in use: choose another with --port\n$/)
    expect(stdout).toBe('No IAM service configured, enabling single account mode\n')
    // The one that runs is a quiet one.
    expect(running.stdout).toBe(stdout)
    const nowhere = join(dir, 'nowhere')
    const missing = await runProgram(['--workers', '3', '--port', '127.0.0.1:0', 'posix', nowhere])
    expect([missing.code, missing.stderr.match(/\n/g)?.length, missing.stdout]).toEqual([1, 1, ''])
    expect(missing.stderr).toContain(nowhere)
  })

  test.each(['0', '-1', '1025', 'two'])('--workers %s is refused', async (count) => {
    const { code, stderr } = await runProgram([`--workers=${count}`, 'posix', dir])
    expect(code).toBe(1)
    expect(stderr).toContain('--workers: ')
  })

  test('limits hold for all workers together: the connection beyond the last is refused', async () => {
    await using gateway = await startGateway({
      flags: ['--workers', '2', '--max-connections', '4', '--idle-timeout', '60s'],
    })
    // Before that, one of the two may have all connections to itself.
    await gateway.waitFor(/tracing .*\n/)
    const connections = await Promise.all(
      Array.from({ length: 12 }, () => openConnection(gateway.port)),
    )
    const answered = await Promise.all(
      connections.map(async (connection) => {
        connection.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        return connection.response().then(
          () => true,
          () => false,
        )
      }),
    )
    expect(answered.filter(Boolean).length).toBe(4)
    for (const connection of connections) connection.close()
  })

  describe('when the primary is killed', () => {
    const at = useGateway({ flags: ['--workers', '2'] })

    test('its workers finish what they have, and end', async () => {
      const bucket = await at.bucket()
      const workers = workersOf(at.gateway.pid)
      expect(workers).toHaveLength(2)
      const open = await Promise.all(
        Array.from({ length: 4 }, async (_, i) => {
          const connection = await openConnection(at.gateway.port)
          connection.write(
            at.head('PUT', `/${bucket}/${i}`, {
              headers: { 'Content-Length': '10', Expect: '100-continue' },
              payloadHash: 'UNSIGNED-PAYLOAD',
            }),
          )
          await eventually(() => connection.pending().includes('100 Continue'))
          connection.write('01234')
          return connection
        }),
      )
      process.kill(at.gateway.pid, 'SIGKILL')
      expect(await eventually(async () => !(await reachesPort(at.gateway.port)))).toBe(true)
      for (const connection of open) connection.write('56789')
      const answers = await Promise.all(open.map((connection) => connection.response()))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect(await eventually(() => workers.every((pid) => !isAlive(pid)))).toBe(true)
      expect(readFileSync(at.path(bucket, '3'), 'utf8')).toBe('0123456789')
    })
  })
})

function reachesPort(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1', () => resolve(true)).on('error', () =>
      resolve(false),
    )
    socket.once('connect', () => socket.destroy())
  })
}
