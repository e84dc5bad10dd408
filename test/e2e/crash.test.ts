import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CrashModel, readContent } from '../support/crash-model.ts'
import { connect } from '../support/fixture.ts'
import { scratch, startGateway, type Gateway } from '../support/gateway.ts'
import { treeOf } from '../support/tree.ts'

const BUCKET = 'bucket'
const WRITERS = 6
const ROUNDS = 4

/** Keys of one writer: some beside each other, some whose directories come and go. */
const keysOf = (writer: number): string[] => [
  `top-${writer}`,
  `w${writer}/a`,
  `w${writer}/b`,
  `w${writer}/deep/er/c`,
]

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(scratch(), 'vgw-crash-'))
  mkdirSync(join(dir, BUCKET))
})

afterEach(() => {
  rmSync(dir, { recursive: true })
})

/** design.md, promise 3: "200 to a write: the object is complete … A failed or abandoned write changes nothing". */
describe('kill -9 under load, again and again', () => {
  test.each([
    ['O_TMPFILE, durability full', []],
    ['durability none', ['--durability', 'none']],
    ['named temporary files', ['--disableotmp', '--durability', 'none']],
  ])(
    '%s: what was answered is there and whole, the rest is old or new',
    async (_, posixFlags) => {
      const model = new CrashModel(BUCKET)
      for (let round = 0; round < ROUNDS; round++) {
        await crash(await startGateway({ dir, posixFlags }), model)
        await using gateway = await startGateway({ dir, posixFlags })
        const s3 = connect(gateway)
        await completeAgain(s3, model)
        await checkObjects(s3, model)
        await abortUploads(s3)
        expect(litter(model)).toEqual([])
        s3.destroy()
      }
    },
    60_000,
  )
})

/** Some moment, but not before enough has been answered to prove something. */
async function underWay(answered: () => number): Promise<void> {
  await expect.poll(answered, { timeout: 20_000 }).toBeGreaterThan(30)
  await sleep(Math.random() * 900)
}

async function crash(gateway: Gateway, model: CrashModel): Promise<void> {
  const s3 = connect(gateway)
  let isOver = false
  const writers = Array.from({ length: WRITERS }, (_, i) =>
    model.write(s3, keysOf(i), () => isOver),
  )
  const writing = Promise.all(writers)
  const before = model.answered
  await Promise.race([writing, underWay(() => model.answered - before)])
  isOver = true
  await gateway.stop('SIGKILL')
  await writing
  s3.destroy()
}

/** Half of the clients whose completion was never answered ask again; each gets its object. */
async function completeAgain(s3: S3Client, model: CrashModel): Promise<void> {
  for (const { key, content, again } of model.takeCompletions()) {
    if (Math.random() < 0.5) continue
    await again(s3)
    expect(await readContent(s3, BUCKET, key)).toBe(content)
    model.found(key, content)
  }
}

async function checkObjects(s3: S3Client, model: CrashModel): Promise<void> {
  const there: string[] = []
  for (const [key, possible] of model.keys) {
    const content = await readContent(s3, BUCKET, key)
    expect([key, possible]).toEqual([key, expect.toSatisfy(() => possible.includes(content))])
    model.found(key, content)
    if (content !== undefined) there.push(key)
  }
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }))
  expect(Contents.map(({ Key }) => Key)).toEqual(there.toSorted())
}

async function abortUploads(s3: S3Client): Promise<void> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }))
  for (const { Key, UploadId } of Uploads)
    await s3.send(new AbortMultipartUploadCommand({ Bucket: BUCKET, Key, UploadId }))
}

/** Files that are no objects, no locks, and nothing that a sweep removes after a day (contract 2.4). */
function litter(model: CrashModel): string[] {
  const TEMPORARY = /^\.sgwtmp\/(?:tmp\.[0-9a-f]{24}|[0-9a-f]{32})$/
  return treeOf(join(dir, BUCKET)).filter((path) => {
    const isKnown = model.keys.get(path)?.[0] !== undefined
    const isLock = /^\.sgwtmp\/locks\/[\w-]+$/.test(path)
    return !path.endsWith('/') && !isKnown && !isLock && !TEMPORARY.test(path)
  })
}
