import { fileURLToPath } from 'node:url'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mountFileSystem, type FileSystem } from '../support/file-systems.ts'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { completeXml, MiB, startUpload } from '../support/multipart.ts'
import { eventually, openFiles, residentMiB } from '../support/process-facts.ts'
import { openConnection } from '../support/raw-http.ts'
import { isRoot } from '../support/tools.ts'
import { strayFiles } from '../support/tree.ts'

describe('Clients that do not do their part', () => {
  const at = useGateway({ flags: ['--stall-timeout', '150s'] })

  function stoppedReader(head: Buffer): Socket {
    const socket = connect(at.gateway.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.pause()
    socket.write(head)
    return socket
  }

  test('1,000 readers that stop reading: others are served, and all is given back (A22)', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'large'), Buffer.alloc(20 * MiB))
    await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    await at.send('GET', `/${bucket}/k`)
    const baseline = openFiles(at.gateway.pid)
    const head = at.head('GET', `/${bucket}/large`)
    const readers = Array.from({ length: 1000 }, () => stoppedReader(head))
    expect(await eventually(() => openFiles(at.gateway.pid) > baseline + 1900)).toBe(true)
    for (let i = 0; i < 20; i++) {
      expect((await at.send('GET', `/${bucket}/k`)).text).toBe('x')
      expect((await at.send('PUT', `/${bucket}/k`, { body: 'x' })).status).toBe(200)
    }
    // Nobody has been given up meanwhile, and another large reader is not behind them in any queue.
    expect(openFiles(at.gateway.pid)).toBeGreaterThan(baseline + 1900)
    expect((await at.send('GET', `/${bucket}/large`)).body.length).toBe(20 * MiB)
    expect(residentMiB(at.gateway.pid)).toBeLessThan(500)
    for (const socket of readers) socket.destroy()
    expect(await eventually(() => openFiles(at.gateway.pid) <= baseline + 5)).toBe(true)
    expect((await at.send('GET', `/${bucket}/k`)).text).toBe('x')
  })

  test('gone in the middle of a large answer, over and over', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'large'), Buffer.alloc(20 * MiB))
    const baseline = openFiles(at.gateway.pid)
    for (let i = 0; i < 50; i++) {
      const connection = await openConnection(at.gateway.port)
      connection.write(at.head('GET', `/${bucket}/large`))
      await eventually(() => connection.pending().length > 0)
      if (i % 2 === 0) connection.socket.resetAndDestroy()
      else connection.close()
    }
    expect(await eventually(() => openFiles(at.gateway.pid) <= baseline + 3)).toBe(true)
    expect((await at.send('GET', `/${bucket}/large`)).body.length).toBe(20 * MiB)
  })

  test('200 uploads abandoned half-way leave nothing', async () => {
    const bucket = await at.bucket()
    const baseline = openFiles(at.gateway.pid)
    const head = at.head('PUT', `/${bucket}/k`, {
      headers: { 'Content-Length': '1000000' },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    const connections = await Promise.all(
      Array.from({ length: 200 }, () => openConnection(at.gateway.port)),
    )
    for (const connection of connections) {
      connection.write(head)
      connection.write(randomBytes(300_000))
    }
    await delay(500)
    for (const connection of connections) connection.close()
    expect(await eventually(() => openFiles(at.gateway.pid) <= baseline + 3)).toBe(true)
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test('memory stays flat with 16 uploads and 16 downloads of 32 MiB at once', async () => {
    const bucket = await at.bucket()
    const body = Buffer.alloc(32 * MiB)
    const put = (i: number) =>
      at.send('PUT', `/${bucket}/k${i}`, {
        body,
        payloadHash: 'UNSIGNED-PAYLOAD',
      })
    let peak = 0
    const timer = setInterval(() => (peak = Math.max(peak, residentMiB(at.gateway.pid))), 20)
    for (let round = 0; round < 2; round++) {
      const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => put(i)))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    }
    clearInterval(timer)
    expect(peak).toBeLessThan(300)
  })
})

describe('A reader that stalls for longer than it may', () => {
  const at = useGateway({ flags: ['--stall-timeout', '2s'] })
  test('is given up', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'large'), Buffer.alloc(50 * MiB))
    await at.send('HEAD', `/${bucket}/large`)
    const baseline = openFiles(at.gateway.pid)
    const socket = connect(at.gateway.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.pause()
    socket.write(at.head('GET', `/${bucket}/large`))
    expect(await eventually(() => openFiles(at.gateway.pid) > baseline)).toBe(true)
    expect(await eventually(() => openFiles(at.gateway.pid) <= baseline)).toBe(true)
    socket.destroy()
  })
})

describe('Too many requests', () => {
  const at = useGateway({ flags: ['--max-requests', '2'] })
  test('are answered SlowDown at once (contract 1.2)', async () => {
    const bucket = await at.bucket()
    const stalled = await Promise.all([
      openConnection(at.gateway.port),
      openConnection(at.gateway.port),
    ])
    for (const connection of stalled) {
      connection.write(
        at.head('PUT', `/${bucket}/k`, {
          headers: { 'Content-Length': '10' },
          payloadHash: 'UNSIGNED-PAYLOAD',
        }),
      )
    }
    let refused = await at.send('GET', `/${bucket}/k`)
    // Until both have arrived.
    await eventually(async () => {
      refused = await at.send('GET', `/${bucket}/k`)
      return refused.status === 503
    })
    expect([refused.status, refused.code]).toEqual([503, 'SlowDown'])
    expect(refused.header('x-trace-id')).toMatch(/^[0-9a-f]{32}$/)
    for (const connection of stalled) connection.close()
    expect(await eventually(async () => (await at.send('GET', `/${bucket}`)).status === 200)).toBe(
      true,
    )
  })
})

describe.skipIf(!isRoot)('A full disk', () => {
  let disk: FileSystem | undefined
  beforeAll(() => {
    disk = mountFileSystem('ext4', 40)
  })
  afterAll(() => disk?.unmount())
  const at = useGateway(() => (disk === undefined ? {} : { dir: disk.dir }))

  test('is 507, told in an answer; nothing is left and smaller objects still fit (contract 2.1)', async ({
    skip,
  }) => {
    skip(disk === undefined, 'needs a file system of its own')
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: 'old' })
    const body = randomBytes(60 * MiB)
    for (const payloadHash of ['UNSIGNED-PAYLOAD', undefined]) {
      const request = payloadHash === undefined ? { body } : { body, payloadHash }
      const { status, code } = await at.send('PUT', `/${bucket}/k`, request)
      expect([status, code]).toEqual([507, 'InsufficientStorage'])
    }
    expect(strayFiles(at.path(bucket))).toEqual(['k'])
    expect((await at.send('GET', `/${bucket}/k`)).text).toBe('old')
    expect((await at.send('PUT', `/${bucket}/k`, { body: 'new' })).status).toBe(200)
  })

  test('copies and completions too, and the upload can be finished once there is room', async ({
    skip,
  }) => {
    skip(disk === undefined, 'needs a file system of its own')
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/filler`, { body: randomBytes(12 * MiB) })
    const upload = await startUpload(at, [randomBytes(11 * MiB)], { bucket, key: 'mp' })
    const copy = await at.send('PUT', `/${bucket}/copy`, {
      headers: { 'x-amz-copy-source': `${bucket}/filler` },
    })
    expect([copy.status, copy.code]).toEqual([507, 'InsufficientStorage'])
    const part = await upload.part(2, randomBytes(12 * MiB))
    expect([part.status, part.code]).toEqual([507, 'InsufficientStorage'])
    const xml = completeXml([{ number: 1, etag: upload.etags[0] ?? '' }])
    const full = await upload.complete(xml)
    expect([full.status, full.code]).toEqual([507, 'InsufficientStorage'])
    expect((await at.send('GET', upload.target())).elements('PartNumber')).toEqual(['1'])
    expect((await at.send('DELETE', `/${bucket}/filler`)).status).toBe(204)
    expect((await upload.complete(xml)).status).toBe(200)
    expect(strayFiles(at.path(bucket))).toEqual(['mp'])
  })
})

/** Not where the checkout lies in a directory that other users may not enter. */
const NOBODY = 65_534
const nobodyMayRunUs =
  isRoot &&
  spawnSync('setpriv', [
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    'test',
    '-r',
    fileURLToPath(new URL('../../bin/versitygw-ts', import.meta.url)),
  ]).status === 0

describe.skipIf(!nobodyMayRunUs)('Permission denied', () => {
  const dir = mkdtempSync(join(scratch(), 'vgw-nobody-'))
  chownSync(dir, NOBODY, NOBODY)
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const at = useGateway({
    dir,
    command: [
      'setpriv',
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      process.execPath,
    ],
  })

  test('is 403 AccessDenied, wherever it is met', async () => {
    await at.send('PUT', '/nobodys')
    expect((await at.send('PUT', '/nobodys/k', { body: 'x' })).status).toBe(200)
    const bucket = join(dir, 'roots')
    mkdirSync(join(bucket, 'closed'), { recursive: true })
    writeFileSync(join(bucket, 'secret'), 'secret')
    writeFileSync(join(bucket, 'closed/k'), 'closed')
    chmodSync(join(bucket, 'secret'), 0o600)
    chmodSync(join(bucket, 'closed'), 0o700)
    for (const [method, target, headers] of [
      ['GET', '/roots/secret', {}],
      ['GET', '/roots/closed/k', {}],
      ['PUT', '/roots/new', {}],
      ['DELETE', '/roots/secret', {}],
      ['POST', '/roots/k?uploads', {}],
      ['PUT', '/nobodys/copy', { 'x-amz-copy-source': 'roots/secret' }],
    ] as const) {
      const { status, code, text } = await at.send(method, target, { headers })
      expect([method, target, status, code]).toEqual([method, target, 403, 'AccessDenied'])
      expect(text).not.toContain(dir)
    }
    expect(readFileSync(join(bucket, 'secret'), 'utf8')).toBe('secret')
    expect(existsSync(join(dir, 'nobodys/copy'))).toBe(false)
  })
})

describe('Too many open files', () => {
  // Enough for the start, when Node opens the program's modules side by side.
  const LIMIT = 250
  const at = useGateway({
    command: ['bash', '-c', `ulimit -n ${LIMIT}; exec "$0" "$@"`, process.execPath],
  })

  test('is 503 SlowDown, and passes (A22)', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    await at.send('GET', `/${bucket}/k`)
    const asking = await openConnection(at.gateway.port)
    const others: Socket[] = []
    while (openFiles(at.gateway.pid) < LIMIT && others.length < LIMIT) {
      const before = openFiles(at.gateway.pid)
      others.push(connect(at.gateway.port, '127.0.0.1').on('error', () => {}))
      await eventually(() => openFiles(at.gateway.pid) > before, 1000)
    }
    for (const [method, body] of [
      ['GET', undefined],
      ['PUT', 'y'],
    ] as const) {
      asking.write(
        Buffer.concat([
          at.head(method, `/${bucket}/k`, body === undefined ? {} : { body }),
          Buffer.from(body ?? ''),
        ]),
      )
      const { status, code } = await asking.response()
      expect([method, status, code]).toEqual([method, 503, 'SlowDown'])
    }
    for (const socket of others) socket.destroy()
    expect(await eventually(() => openFiles(at.gateway.pid) < LIMIT / 2)).toBe(true)
    asking.write(at.head('GET', `/${bucket}/k`))
    expect((await asking.response()).text).toBe('x')
    asking.close()
    expect(strayFiles(at.path(bucket))).toEqual(['k'])
  })
})
