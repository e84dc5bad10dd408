import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { connect } from '../support/fixture.ts'
import { scratch, startGateway, type Gateway } from '../support/gateway.ts'

const BUCKET = 'bucket'
/** Few, so that writers meet. */
const KEYS = ['a', 'd/b', 'd/e/c']
const WRITERS = 6
const ROUNDS = 3

/** What was answered: of each key the content of each version by its id, null for a delete marker. */
type Answered = Map<string, Map<string, string | null>>

/** design.md, promise 3, of versions: what was answered is there, under its id, whatever was killed when. */
test('kill -9 under load, again and again: every version that was answered is there and whole', async () => {
  const dir = mkdtempSync(join(scratch(), 'vgw-crash-'))
  const [data, versions] = [join(dir, 'data'), join(dir, 'versions')]
  for (const path of [data, versions, join(data, BUCKET)]) mkdirSync(path)
  const options = { dir: data, posixFlags: ['--durability', 'none', '--versioning-dir', versions] }
  const answered: Answered = new Map(KEYS.map((key) => [key, new Map()]))
  /** Asked to be deleted, answered or not. */
  const deleted = new Set<string>()
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await crash(await startGateway(options), answered, deleted)
      await using gateway = await startGateway(options)
      const s3 = connect(gateway)
      for (const key of KEYS) await checkKey(s3, key, answered.get(key) ?? new Map(), deleted)
      s3.destroy()
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
})

async function crash(gateway: Gateway, answered: Answered, deleted: Set<string>): Promise<void> {
  const s3 = connect(gateway)
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await s3.send(new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration }))
  const over = new AbortController()
  let count = 0
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; !over.signal.aborted; n++) {
      const Key = KEYS[(writer + n) % KEYS.length] ?? ''
      try {
        await act(s3, Key, `${writer}-${n}-${'x'.repeat(n % 5 === 0 ? 200_000 : 20)}`)
        count++
      } catch {
        // Killed meanwhile: whatever became of it, it was not answered.
      }
    }
  }
  const act = async (client: S3Client, Key: string, content: string): Promise<void> => {
    const known = answered.get(Key) ?? new Map<string, string | null>()
    const kind = Math.random()
    if (kind < 0.7) {
      const put = new PutObjectCommand({ Bucket: BUCKET, Key, Body: content })
      known.set((await client.send(put)).VersionId ?? '', content)
    } else if (kind < 0.85) {
      const marked = await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key }))
      if (marked.VersionId !== undefined) known.set(marked.VersionId, null)
    } else {
      const [VersionId] = [...known.keys()].toSorted(() => Math.random() - 0.5)
      if (VersionId === undefined) return
      deleted.add(VersionId)
      await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key, VersionId }))
    }
  }
  const writing = Promise.all(Array.from({ length: WRITERS }, (_, i) => write(i)))
  await expect.poll(() => count, { timeout: 20_000 }).toBeGreaterThan(30)
  await sleep(Math.random() * 500)
  over.abort()
  await gateway.stop('SIGKILL')
  await writing
  s3.destroy()
}

async function checkKey(
  s3: S3Client,
  Key: string,
  known: Map<string, string | null>,
  deleted: ReadonlySet<string>,
): Promise<void> {
  const list = new ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: Key })
  const { Versions = [], DeleteMarkers = [] } = await s3.send(list)
  const told = [...Versions, ...DeleteMarkers].map(({ VersionId }) => VersionId ?? '')
  expect(told).toHaveLength(new Set(told).size)
  const latest = [...Versions, ...DeleteMarkers].filter(({ IsLatest }) => IsLatest === true)
  expect(latest).toHaveLength(told.length > 0 ? 1 : 0)
  for (const [id, content] of known) {
    const isThere = told.includes(id)
    if (deleted.has(id) && !isThere) {
      known.delete(id)
      continue
    }
    expect([id, isThere]).toEqual([id, true])
    if (content === null) continue
    const get = new GetObjectCommand({ Bucket: BUCKET, Key, VersionId: id })
    const body = await (await s3.send(get)).Body?.transformToString()
    expect([id, body === content]).toEqual([id, true])
  }
}
