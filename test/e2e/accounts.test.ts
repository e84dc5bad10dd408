import { GetObjectCommand, ListBucketsCommand } from '@aws-sdk/client-s3'
import { statSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, useGateway } from '../support/fixture.ts'
import { runProgram, startGateway } from '../support/gateway.ts'
import type { ReceivedSpan } from '../support/otlp-protobuf.ts'
import { spanNamed } from '../support/span-tree.ts'
import { isRoot } from '../support/tools.ts'
import { useTracedGateway } from '../support/traced.ts'

const MANAGER = { access: 'manager', secret: 'secret of manager' }

/** users.json with one account of role admin, which may do everything whatever a bucket says. */
function users(secret = MANAGER.secret): string {
  const account = { access: 'manager', secret, role: 'admin', userID: 0, groupID: 0, projectID: 0 }
  return JSON.stringify({ accessAccounts: { manager: account } })
}

let iam = ''
beforeAll(async () => {
  iam = await mkdtemp(join(tmpdir(), 'vgw-iam-'))
  await writeFile(join(iam, 'users.json'), users())
})
afterAll(() => rm(iam, { recursive: true, force: true }))

/** As another process would: whole, in one step. */
async function replaceUsers(content: string): Promise<void> {
  await writeFile(join(iam, 'users.json.other'), content)
  await rename(join(iam, 'users.json.other'), join(iam, 'users.json'))
}

describe('accounts of --iam-dir (contract 5.2)', () => {
  // One process: each worker has a cache, and a time of its own to look again.
  const at = useGateway(() => ({
    flags: ['--workers', '1', '--iam-dir', iam, '--iam-cache-ttl', '1'],
  }))

  test('contract 1.6: the start tells where accounts come from', () => {
    expect(at.gateway.stdout.split('\n')[0]).toBe(`initializing internal IAM with "${iam}"`)
  })

  test('an account that VersityGW wrote signs in', async () => {
    const bucket = await at.bucket()
    const put = await at.send('PUT', `/${bucket}/k`, { body: 'x', credentials: MANAGER })
    expect(put.status).toBe(200)
    const wrong = await at.send('GET', `/${bucket}/k`, {
      credentials: { ...MANAGER, secret: 'other' },
    })
    expect([wrong.status, wrong.code]).toEqual([403, 'SignatureDoesNotMatch'])
  })

  test('contract 4.2: an access key that nobody has', async () => {
    const bucket = await at.bucket()
    const answer = await at.send('GET', `/${bucket}/k`, {
      credentials: { access: 'nobody', secret: 'x' },
    })
    expect([answer.status, answer.code, answer.element('AWSAccessKeyId')]).toEqual([
      403,
      'InvalidAccessKeyId',
      'nobody',
    ])
  })

  // The TTL is a second, and a machine may take longer than that for two requests.
  const timed = { retry: 3 }
  test(
    'a secret changed by another process works at once, the old one not for longer than the TTL',
    timed,
    async () => {
      const bucket = await at.bucket()
      const get = (secret: string) =>
        at.send('GET', `/${bucket}`, { credentials: { ...MANAGER, secret } })
      expect((await get(MANAGER.secret)).status).toBe(200)
      await sleep(1100)
      expect((await get(MANAGER.secret)).status).toBe(200)
      await sleep(1100)
      await replaceUsers(users('changed'))
      expect((await get('changed')).status).toBe(200)
      expect((await get(MANAGER.secret)).status).toBe(403)
      await replaceUsers(users())
      expect((await get(MANAGER.secret)).status).toBe(403)
      await sleep(1100)
      expect((await get(MANAGER.secret)).status).toBe(200)
    },
  )

  test('while users.json cannot be read, known accounts go on and others get a 500 at once', async () => {
    const bucket = await at.bucket()
    const get = (credentials = MANAGER) => at.send('GET', `/${bucket}`, { credentials })
    expect((await get()).status).toBe(200)
    await replaceUsers('{"accessAccounts":')
    await sleep(1100)
    expect((await get()).status).toBe(200)
    const other = await get({ access: 'somebody', secret: 'x' })
    expect([other.status, other.code]).toEqual([500, 'InternalError'])
    expect(other.body.toString()).not.toContain('users.json')
    await at.gateway.waitFor(/users\.json cannot be read: it is not JSON/)
    expect(await readFile(join(iam, 'users.json'), 'utf8')).toBe('{"accessAccounts":')
    await replaceUsers(users())
  })
})

describe('IAM.* spans (trace contract 3.2)', () => {
  // Started after users.json has been written.
  const at = useTracedGateway({ flags: () => ['--workers', '1', '--iam-dir', iam] })
  const look = async (credentials = at.credentials): Promise<readonly ReceivedSpan[]> => {
    const bucket = await at.bucket()
    return at.trace(await at.send('HEAD', `/${bucket}`, { credentials }))
  }

  test('IAM.GetUserAccount below Auth.V4Signature, with backend, cache hit and duration', async () => {
    for (const hit of [false, true]) {
      const spans = await look(MANAGER)
      const auth = spanNamed(spans, 'Auth.V4Signature')
      const lookUp = spanNamed(spans, 'IAM.GetUserAccount')
      expect(lookUp.parentSpanId).toBe(auth.spanId)
      expect(lookUp.attributes.toObject()).toMatchObject({
        'iam.backend': 'internal',
        'iam.cache_hit': hit,
      })
      expect(lookUp.attributes.typeOf('duration_ms')).toBe('double')
      expect(auth.attributes.toObject()).toMatchObject({
        'auth.access_key': 'manager',
        'auth.role': 'admin',
        'auth.is_root': false,
      })
    }
  })

  test('the root account is looked up nowhere', async () => {
    expect((await look()).map(({ name }) => name)).not.toContain('IAM.GetUserAccount')
  })
})

describe.skipIf(!isRoot)('contract 1.3: --chuid, --chgid', () => {
  const at = useGateway(() => ({
    flags: ['--iam-dir', iam],
    posixFlags: ['--chuid', '--chgid'],
  }))

  test('what an account makes belongs to the ids that users.json says', async () => {
    await replaceUsers(users().replace('"userID":0,"groupID":0', '"userID":4321,"groupID":5432'))
    const bucket = `b-${process.pid}`
    await at.send('PUT', `/${bucket}`, { credentials: MANAGER })
    await at.send('PUT', `/${bucket}/a/k`, { body: 'x', credentials: MANAGER })
    await at.send('PUT', `/${bucket}/root`, { body: 'x' })
    const owners = ['', 'a', 'a/k', 'root'].map((key) => {
      const { uid, gid } = statSync(at.path(bucket, key))
      return [uid, gid]
    })
    expect(owners).toEqual([
      [4321, 5432],
      [4321, 5432],
      [4321, 5432],
      [0, 0],
    ])
    await replaceUsers(users())
  })
})

describe('a store that cannot be used', () => {
  test.each([
    [
      'no such directory',
      '/nonexistent/iam',
      /cannot use users\.json in \/nonexistent\/iam: .*ENOENT/,
    ],
    ['no directory', '/etc/passwd', /cannot use users\.json in \/etc\/passwd: .*ENOTDIR/],
  ])('%s: one line, exit code 1', async (_, dir, line) => {
    const { code, stderr } = await runProgram([
      '--port',
      '127.0.0.1:0',
      '--iam-dir',
      dir,
      'posix',
      tmpdir(),
    ])
    expect(code).toBe(1)
    expect(stderr).toMatch(line)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('A4: in a directory below the served one users.json would be an object', async () => {
    const data = await mkdtemp(join(tmpdir(), 'vgw-data-'))
    const dir = join(data, 'iam')
    await mkdir(dir)
    const listen = ['--port', '127.0.0.1:0']
    const { code, stderr } = await runProgram([...listen, '--iam-dir', dir, 'posix', data])
    expect([code, stderr.slice(20)]).toEqual([
      1,
      `cannot use users.json in ${dir}: it lies in a bucket, where it would be an object\n`,
    ])
    await rm(data, { recursive: true })
  })

  test('A4: in the served directory itself users.json is no bucket, and not to be seen', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vgw-data-'))
    await using gateway = await startGateway({ dir, flags: ['--iam-dir', dir] })
    expect(await readdir(dir)).toContain('users.json')
    const s3 = connect(gateway)
    expect((await s3.send(new ListBucketsCommand({}))).Buckets ?? []).toEqual([])
    const get = new GetObjectCommand({ Bucket: 'users.json', Key: 'k' })
    await expect(s3.send(get)).rejects.toMatchObject({ name: 'NoSuchBucket' })
    s3.destroy()
    await rm(dir, { recursive: true })
  })

  test('a corrupt users.json: one line, no secret, and the file as it was', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'vgw-iam-'))
    const corrupt = '{"accessAccounts":{"u":{"secret":"TOPSECRET"'
    await writeFile(join(dir, 'users.json'), corrupt)
    const listen = ['--port', '127.0.0.1:0']
    const { code, stderr } = await runProgram([...listen, '--iam-dir', dir, 'posix', dir])
    expect(code).toBe(1)
    expect(stderr).toContain(`cannot use users.json in ${dir}: it is not JSON`)
    expect(stderr).not.toContain('TOPSECRET')
    expect(await readFile(join(dir, 'users.json'), 'utf8')).toBe(corrupt)
    await rm(dir, { recursive: true })
  })
})

describe('defence', () => {
  test('A25: well-known default credentials are refused on a public address', async () => {
    const env = { ROOT_ACCESS_KEY_ID: 'minioadmin', ROOT_SECRET_ACCESS_KEY: 'minioadmin' }
    const { code, stderr } = await runProgram(['--port', ':0', 'posix', tmpdir()], env)
    const admin = ['--port', '127.0.0.1:0', '--admin-port', ':0']
    expect((await runProgram([...admin, 'posix', tmpdir()], env)).stderr).toContain(
      stderr.slice(20),
    )
    expect([code, stderr.slice(20)]).toEqual([
      1,
      'the root credentials are well-known default ones: choose others, or listen on 127.0.0.1 only\n',
    ])
    await using gateway = await startGateway({ env })
    expect((await fetch(gateway.endpoint)).status).toBe(403)
  })
})

describe('A14: guessing', () => {
  const at = useGateway()

  test('is slowed and told of in the log; whoever knows the secret is not held up', async () => {
    const bucket = await at.bucket()
    const timed = async (credentials = at.credentials) => {
      const start = performance.now()
      const { status } = await at.send('HEAD', `/${bucket}`, { credentials })
      return { status, ms: performance.now() - start }
    }
    const guess = { access: at.credentials.access, secret: 'a guess of mine' }
    // More than the longest delay needs, because counts fade while a busy machine answers.
    const guesses = await Promise.all(Array.from({ length: 80 }, () => timed(guess)))
    expect(new Set(guesses.map(({ status }) => status))).toEqual(new Set([403]))
    expect((await timed(guess)).ms).toBeGreaterThan(400)
    const known = await Promise.all([timed(guess), timed(), timed(guess), timed()])
    expect(known.map(({ status }) => status)).toEqual([403, 200, 403, 200])
    expect(Math.max(known[1].ms, known[3].ms)).toBeLessThan(Math.min(known[0].ms, known[2].ms))
    const [line] = await at.gateway.waitFor(/.*unknown access key or a wrong signature.*/)
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', access_key: guess.access, total: 1 })
    expect(at.gateway.stdout + at.gateway.stderr).not.toContain(guess.secret)
  })
})
