import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  EXPLAINS,
  addEntries,
  dropFromCache,
  expectCause,
  explained,
  getAndForget,
} from '../support/explained.ts'
import { mountFileSystem } from '../support/file-systems.ts'
import { useGateway } from '../support/fixture.ts'
import { openConnection, type RawResponse } from '../support/raw-http.ts'
import { slowFileSystem, type Delays } from '../support/slow-file-system.ts'
import { throttledDisk } from '../support/throttled-disk.ts'

/** Requests that the disk makes slow, and what is said of them. */

const KIB = 1024
const MIB = 1024 ** 2

const slow = await slowFileSystem()

describe.skipIf(slow === undefined)('a file system that takes its time', () => {
  afterAll(() => slow?.remove())
  const at = useGateway(() => ({
    ...EXPLAINS,
    posixFlags: ['--io-threads', '1'],
    dir: slow?.dir ?? '',
  }))

  async function withDelays(
    delays: Delays,
    send: () => Promise<Pick<RawResponse, 'header' | 'status'>>,
  ): Promise<Awaited<ReturnType<typeof explained>>> {
    slow?.delay(delays)
    const answer = await send().finally(() => slow?.delay({}))
    expect(answer.status).toBeLessThan(300)
    return explained(at, answer)
  }

  test('each operation that takes long, and of which nothing else can be the cause', async () => {
    const bucket = await at.bucket()
    const body = randomBytes(2 * MIB)
    await at.send('PUT', `/${bucket}/k`, { body })
    // Of which no listing is known yet.
    const other = await at.bucket()
    await at.send('PUT', `/${other}/k`, { body: 'x' })
    const upload = await uploadOf(`/${bucket}/multi`)
    const cases: readonly [string, Delays, () => Promise<RawResponse>, RegExp][] = [
      ['GET', { read: 50 }, () => at.send('GET', `/${bucket}/k`), /gave it at \d/],
      ['PUT', { write: 50 }, () => at.send('PUT', `/${bucket}/w`, { body }), /took the data at \d/],
      [
        'small PUT',
        { write: 80 },
        () => at.send('PUT', `/${bucket}/s`, { body: 'x' }),
        /(?:writing 1 byte|a single name) took \d+ ms/,
      ],
      [
        'small GET',
        { read: 80 },
        () => at.send('GET', `/${bucket}/s`),
        /(?:reading 1 byte|a single name) took \d+ ms/,
      ],
      ['HEAD', { name: 40 }, () => at.send('HEAD', `/${bucket}/k`), /a single name took \d+ ms/],
      [
        'names of a PUT',
        { name: 40 },
        () => at.send('PUT', `/${bucket}/a/b/c`, { body: 'x' }),
        /a single name took \d+ ms/,
      ],
      [
        'names of a listing',
        { name: 40 },
        () => at.send('GET', `/${bucket}?list-type=2`),
        /a single name took \d+ ms/,
      ],
      [
        'listing',
        { list: 150 },
        () => at.send('GET', `/${other}?list-type=2`),
        /reading a directory of \d+ entr/,
      ],
      [
        'DELETE',
        { name: 40 },
        () => at.send('DELETE', `/${bucket}/w`),
        /a single name took \d+ ms/,
      ],
      ['Complete', { read: 30, write: 30 }, upload, /copied the data at \d/],
    ]
    for (const [what, delays, send, expected] of cases) {
      const told = await withDelays(delays, send)
      expectCause(told, 'slow-disk')
      if (told.cause === 'unknown') continue
      // Where other work has the processors, names may take longer still.
      if (!told.verdict.includes('a single name'))
        expect([what, told.verdict]).toEqual([what, expect.stringMatching(expected)])
      expect(told.verdict).toContain('he file system (fuse.slow-fs), or what is behind it,')
    }
  })

  async function uploadOf(target: string): Promise<() => Promise<RawResponse>> {
    const made = await at.send('POST', `${target}?uploads`)
    const id = /<UploadId>(.*)<\/UploadId>/.exec(made.body.toString())?.[1] ?? ''
    const part = await at.send('PUT', `${target}?partNumber=1&uploadId=${id}`, {
      body: randomBytes(MIB),
    })
    const etag = part.header('etag') ?? ''
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part></CompleteMultipartUpload>`
    return () => at.send('POST', `${target}?uploadId=${id}`, { body })
  }

  test('an fsync, and who waits behind it', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/other`, { body: 'x' })
    slow?.delay({ sync: 1200 })
    const putting = at.send('PUT', `/${bucket}/k`, { body: 'x' })
    // While the only thread syncs.
    await sleep(600)
    const behind = await at.send('GET', `/${bucket}/other`)
    const put = await explained(at, await putting)
    slow?.delay({})
    expect(put.sentence).toMatch(/ms in 2 calls of fsync/)
    expectCause(put, 'slow-sync')
    const queued = await explained(at, behind)
    expect(queued.sentence).toMatch(/ms waiting for a thread of the I\/O pool/)
    expectCause(queued, 'full-pool')
  })

  test('two causes: the larger first', async () => {
    const bucket = await at.bucket()
    const body = randomBytes(256 * KIB)
    const told = await withDelays({ sync: 150 }, async () => {
      const connection = await openConnection(at.gateway.port)
      connection.write(at.head('PUT', `/${bucket}/k`, { body }))
      await sleep(600)
      connection.write(body)
      return connection.response().finally(() => connection.close())
    })
    expectCause(told, 'slow-client')
    if (told.cause === 'unknown') return
    expect(told.verdict).toMatch(
      /slow to send the body\. Beside that: The disk took \d+ ms for \d syncs/,
    )
  })

  test('a lock that nobody holds is none', async () => {
    const bucket = await at.bucket()
    const first = await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    const headers = { 'If-Match': first.header('etag') ?? '' }
    const told = await withDelays({ name: 40 }, () =>
      at.send('PUT', `/${bucket}/k`, { body: 'x', headers }),
    )
    expect(told.sentence).not.toContain('lock')
    expectCause(told, 'slow-disk')
  })
})

/** What is in no file that is open: names, attributes, small objects. */
function dropAll(): void {
  execFileSync('sync')
  writeFileSync('/proc/sys/vm/drop_caches', '3')
}

const disk = throttledDisk(256)

describe.skipIf(disk === undefined)('a disk of limited speed', () => {
  // After the gateway has ended: of several the last is called first.
  afterAll(() => disk?.remove())
  const at = useGateway(() => ({ ...EXPLAINS, dir: disk?.dir ?? '' }))
  beforeAll(() => disk?.add(at.gateway.pid))

  test('a dropped page cache', async () => {
    const bucket = await at.bucket()
    const file = at.path(bucket, 'k')
    writeFileSync(file, randomBytes(24 * MIB))
    dropFromCache(file)
    disk?.limit({ read: 40 * MIB })
    const answer = await getAndForget(at, `/${bucket}/k`)
    disk?.unlimit()
    const told = await explained(at, answer)
    expect(told.sentence).toMatch(/reading 24 MiB from disk/)
    expectCause(told, 'cold-cache')
  })

  test('a small object that was not in memory', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'k'), randomBytes(56 * KIB))
    await at.send('HEAD', `/${bucket}/k`)
    dropAll()
    // Some 10 ms for 4 KiB, as on a disk that turns. Whatever else of the gateway reads then takes a share of it.
    disk?.limit({ read: 400 * KIB })
    const answer = await at.send('GET', `/${bucket}/k`)
    disk?.unlimit()
    const told = await explained(at, answer)
    expect(told.sentence).toMatch(/reading 56 KiB from disk/)
    expectCause(told, 'cold-cache')
  })

  test('a disk that reads slowly', async () => {
    const bucket = await at.bucket()
    const file = at.path(bucket, 'k')
    writeFileSync(file, randomBytes(4 * MIB))
    dropFromCache(file)
    disk?.limit({ read: 8 * MIB })
    const answer = await at.send('GET', `/${bucket}/k`)
    disk?.unlimit()
    const told = await explained(at, answer)
    expect(told.sentence).toMatch(/reading 4 MiB from disk \(\d/)
    expectCause(told, 'slow-disk')
  })

  test('an fsync on a busy disk', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/other`, { body: 'x' })
    disk?.limit({ write: 4 * MIB })
    const put = await at.send('PUT', `/${bucket}/k`, { body: randomBytes(4 * MIB) })
    disk?.unlimit()
    const sync = await explained(at, put)
    expect(sync.sentence).toMatch(/fsync/)
    expectCause(sync, 'slow-sync')
  })
})

const volume = mountFileSystem('xfs', 1024)

describe.skipIf(volume === undefined)('a large directory on a disk', () => {
  afterAll(() => volume?.unmount())
  const at = useGateway(() => ({ ...EXPLAINS, dir: volume?.dir ?? '' }))

  test('200,000 entries that are not in memory', async () => {
    const bucket = await at.bucket()
    addEntries(at.path(bucket), 200_000)
    dropAll()
    const answer = await at.send('GET', `/${bucket}?list-type=2&max-keys=10`)
    const told = await explained(at, answer)
    expect(told.sentence).toMatch(/reading a directory of 200,000 entries/)
    expectCause(told, 'large-directory')
  })
})
