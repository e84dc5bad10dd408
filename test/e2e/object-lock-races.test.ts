import { createHash, randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { POST_OBJECT, deleteMany } from '../support/lock-doors.ts'
import type { RawResponse } from '../support/raw-http.ts'

/** Threats A18 and P2: two processes serve one directory, and a lock that one of them has put holds in the other. */

const posixFlags = ['--durability', 'none']
const one = useGateway({ posixFlags })
const other = useGateway(() => ({ dir: one.gateway.dir, posixFlags }))

const UNTIL = `${new Date().getUTCFullYear() + 1}-01-01T00:00:00Z`
const RETENTION = `<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>${UNTIL}</RetainUntilDate></Retention>`
const HOLD = '<LegalHold><Status>ON</Status></LegalHold>'
const LOCK =
  '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>'

function document(target: string, body: string): Promise<RawResponse> {
  const headers = { 'Content-MD5': createHash('md5').update(body).digest('base64') }
  return one.send('PUT', target, { headers, body })
}

async function write(target: string): Promise<void> {
  expect((await one.send('PUT', target, { body: 'kept' })).status).toBe(200)
}

async function isKept(target: string): Promise<void> {
  const answer = await other.send('GET', target)
  expect([answer.status, answer.text]).toEqual([200, 'kept'])
}

const ROUNDS = 40

describe('object lock, while others delete', () => {
  let bucket = ''
  beforeAll(async () => {
    bucket = `locked-${randomBytes(6).toString('hex')}`
    const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
    expect((await one.send('PUT', `/${bucket}`, { headers })).status).toBe(200)
  })

  test.each([
    ['retention', RETENTION],
    ['legal-hold', HOLD],
  ])('of %s and a delete of one key at once not both succeed', async (name, body) => {
    let locked = 0
    for (let round = 0; round < ROUNDS; round++) {
      const target = `/${bucket}/${name}-${round}`
      await write(target)
      const [lock, gone] = await Promise.all([
        document(`${target}?${name}`, body),
        round % 2 === 0
          ? other.send('DELETE', target)
          : deleteMany(other, bucket, [`${name}-${round}`]),
      ])
      const isDeleted = (await other.send('HEAD', target)).status === 404
      expect([200, 404]).toContain(lock.status)
      expect([200, 204, 403]).toContain(gone.status)
      expect(isDeleted).toBe(lock.status !== 200)
      if (lock.status === 200) locked++
    }
    // Else nothing has been tried.
    expect(locked).toBeGreaterThan(0)
  })

  test('nor is it replaced: who is locked keeps his bytes', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const key = `replaced-${round}`
      const target = `/${bucket}/${key}`
      await write(target)
      const [lock, replaced] = await Promise.all([
        document(`${target}?retention`, RETENTION),
        round % 2 === 0
          ? other.send('PUT', target, { body: 'other' })
          : POST_OBJECT(other, bucket, key),
      ])
      expect(lock.status).toBe(200)
      // What was put before the lock is what is locked.
      const first = (await other.send('GET', target)).text
      expect(first === 'kept').toBe(replaced.status === 403)
      expect((await other.send('PUT', target, { body: 'later' })).status).toBe(403)
      expect((await other.send('GET', target)).text).toBe(first)
    }
  })
})

/** The bucket was without locks a moment ago, and the other process has just made sure of it. */
describe('a bucket that becomes lockable while another process writes and deletes in it', () => {
  test.each([
    ['retention', RETENTION],
    ['legal-hold', HOLD],
  ])('from the moment a %s is answered the object stays', async (name, body) => {
    for (let round = 0; round < 3; round++) {
      const bucket = await one.bucket()
      const ended = new AbortController()
      const busy = (async () => {
        while (!ended.signal.aborted) {
          await other.send('PUT', `/${bucket}/busy`, { body: 'x' })
          await other.send('DELETE', `/${bucket}/busy`)
        }
      })()
      await write(`/${bucket}/k`)
      // Not waited for: whoever sees that the bucket can lock may lock at once.
      const enabled = document(`/${bucket}?object-lock`, LOCK)
      let locked = await document(`/${bucket}/k?${name}`, body)
      while (locked.status === 400) locked = await document(`/${bucket}/k?${name}`, body)
      expect(locked.status).toBe(200)
      const doors = [
        await other.send('DELETE', `/${bucket}/k`),
        await other.send('PUT', `/${bucket}/k`, { body: 'other' }),
        await deleteMany(other, bucket, ['k']),
      ]
      expect(doors.map(({ status }) => status)).toEqual([403, 403, 403])
      await isKept(`/${bucket}/k`)
      expect((await enabled).status).toBe(200)
      ended.abort()
      await busy
    }
  })
})
