import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { accountOf } from '../../../test/support/accounts.ts'
import { AccountCache, type CacheOptions } from './account-cache.ts'
import type { Account } from './account-store.ts'

const ALICE = accountOf('alice', 's', { role: 'userplus', userId: 1, groupId: 2, projectId: 3 })
const DOWN = new Error('the store is down')

/** A store that can be told to be down or slow, and counts what it is asked. */
class Store {
  account: Account | undefined = ALICE
  isDown = false
  delayMs = 0
  asked = 0
  readonly get = async (): Promise<Account | undefined> => {
    this.asked++
    const { account, isDown } = this
    await sleep(this.delayMs)
    if (isDown) throw DOWN
    return account
  }
}

const caches: AccountCache[] = []
afterEach(() => caches.splice(0).forEach((cache) => cache.close()))

function cacheOf(options: Partial<CacheOptions> = {}) {
  const clock = { ms: 0 }
  const now = (): number => clock.ms
  const cache = new AccountCache({
    ttlMs: 120_000,
    staleMs: 3_600_000,
    pruneMs: 3_600_000,
    patienceMs: 50,
    now,
    ...options,
  })
  caches.push(cache)
  return { cache, clock, store: new Store() }
}

describe('contract 5.3: TTL 120 s per entry', () => {
  test('an account is looked up once, then it is there at once, whole', async () => {
    const { cache, clock, store } = cacheOf()
    expect(cache.find('alice', store.get)).toBeInstanceOf(Promise)
    await cache.find('alice', store.get)
    clock.ms = 119_999
    expect(cache.find('alice', store.get)).toEqual(ALICE)
    expect(store.asked).toBe(1)
    clock.ms = 120_001
    expect(await cache.find('alice', store.get)).toEqual(ALICE)
    expect(store.asked).toBe(2)
  })

  test('one look-up for many waiting requests', async () => {
    const { cache, store } = cacheOf()
    store.delayMs = 10
    const answers = Array.from({ length: 100 }, async () => cache.find('alice', store.get))
    expect(new Set(await Promise.all(answers))).toEqual(new Set([ALICE]))
    expect(store.asked).toBe(1)
  })

  test('--iam-cache-disable: the store is asked each time', async () => {
    const { cache, store } = cacheOf({ ttlMs: 0, staleMs: 0 })
    await cache.find('alice', store.get)
    await cache.find('alice', store.get)
    store.account = undefined
    expect(await cache.find('alice', store.get)).toBeUndefined()
    expect(await cache.find('alice', store.get)).toBeUndefined()
    expect(store.asked).toBe(4)
  })

  test('a limited number is held; those in use stay', async () => {
    const { cache, store } = cacheOf({ maxAccounts: 10 })
    for (let i = 0; i < 1000; i++) {
      cache.put(accountOf(`a${i}`, 's'))
      if (i === 0) cache.put(ALICE)
      expect(cache.find('alice', store.get)).toEqual(ALICE)
    }
    expect(cache.size).toBe(10)
  })

  test('prune drops what is of no more use', () => {
    const { cache, clock } = cacheOf()
    cache.put(ALICE)
    clock.ms = 120_000 + 3_600_000 - 1
    cache.prune()
    expect(cache.size).toBe(1)
    clock.ms++
    cache.prune()
    expect(cache.size).toBe(0)
  })
})

describe('contract 5.3: update and delete refresh the entry at once', () => {
  test('contract 9.2 row 21: uid, gid and project of a created account are there', () => {
    const { cache, store } = cacheOf()
    cache.put(ALICE)
    expect(cache.find('alice', store.get)).toEqual(ALICE)
  })

  test('a look-up on its way does not bring back what was before', async () => {
    const { cache, store } = cacheOf()
    store.delayMs = 10
    const old = cache.find('alice', store.get)
    const changed = { ...ALICE, secret: 'new' }
    cache.put(changed)
    expect(await old).toEqual(ALICE)
    expect(cache.find('alice', store.get)).toEqual(changed)
    const before = cache.find('bob', store.get)
    cache.forget('bob')
    await before
    expect(cache.find('bob', store.get)).toBeInstanceOf(Promise)
  })

  test('create right after a failed look-up', async () => {
    const { cache, store } = cacheOf()
    store.account = undefined
    expect(await cache.find('alice', store.get)).toBeUndefined()
    expect(cache.find('alice', store.get)).toBeUndefined()
    cache.put(ALICE)
    expect(cache.find('alice', store.get)).toEqual(ALICE)
  })

  test('created on another gateway: not found is believed for a second', async () => {
    const { cache, clock, store } = cacheOf()
    store.account = undefined
    await cache.find('alice', store.get)
    store.account = ALICE
    clock.ms = 999
    expect(cache.find('alice', store.get)).toBeUndefined()
    clock.ms = 1000
    expect(await cache.find('alice', store.get)).toEqual(ALICE)
  })
})

describe('while the store is down', () => {
  test('accounts that were known go on, for the time that is set beyond the TTL', async () => {
    const { cache, clock, store } = cacheOf()
    await cache.find('alice', store.get)
    store.isDown = true
    clock.ms = 120_001
    expect(await cache.find('alice', store.get)).toEqual(ALICE)
    clock.ms = 120_000 + 3_599_999
    expect(cache.find('alice', store.get)).toEqual(ALICE)
    clock.ms = 120_000 + 3_600_000
    await expect(cache.find('alice', store.get)).rejects.toBe(DOWN)
  })

  test('others are told so', async () => {
    const { cache, store } = cacheOf()
    store.isDown = true
    await expect(cache.find('alice', store.get)).rejects.toBe(DOWN)
    store.isDown = false
    expect(await cache.find('alice', store.get)).toEqual(ALICE)
  })

  test('a store that does not answer holds up the first request for a moment, the next ones not', async () => {
    const { cache, clock, store } = cacheOf()
    await cache.find('alice', store.get)
    store.delayMs = 5000
    clock.ms = 120_001
    const start = performance.now()
    expect(await cache.find('alice', store.get)).toEqual(ALICE)
    expect(performance.now() - start).toBeLessThan(store.delayMs - 1000)
    expect(cache.find('alice', store.get)).toEqual(ALICE)
    expect(store.asked).toBe(2)
  })

  test('it is tried again every five seconds while nobody waits, and believed once it answers', async () => {
    const { cache, clock, store } = cacheOf()
    await cache.find('alice', store.get)
    store.isDown = true
    clock.ms = 120_001
    await cache.find('alice', store.get)
    clock.ms += 4999
    expect(cache.find('alice', store.get)).toEqual(ALICE)
    expect(store.asked).toBe(2)
    store.isDown = false
    store.account = { ...ALICE, secret: 'new' }
    clock.ms += 1
    expect(cache.find('alice', store.get)).toEqual(ALICE)
    await sleep(5)
    expect(store.asked).toBe(3)
    expect(cache.find('alice', store.get)).toEqual({ ...ALICE, secret: 'new' })
  })

  test('an account that the store says is gone does not go on', async () => {
    const { cache, clock, store } = cacheOf()
    await cache.find('alice', store.get)
    store.account = undefined
    clock.ms = 120_001
    expect(await cache.find('alice', store.get)).toBeUndefined()
    store.isDown = true
    clock.ms += 1000
    await expect(cache.find('alice', store.get)).rejects.toBe(DOWN)
  })

  test('look-ups of many accounts do not pile up without end', async () => {
    const { cache, store } = cacheOf()
    store.delayMs = 20
    const answers = Array.from({ length: 1001 }, async (_, i) => cache.find(`a${i}`, store.get))
    await expect(answers.at(-1)).rejects.toMatchObject({ code: 'SlowDown' })
    await Promise.allSettled(answers)
    expect(store.asked).toBe(1000)
  })
})

describe('what another process of the gateway knows', () => {
  test('goes on while the store is down, for as long as it would there', async () => {
    const there = cacheOf()
    await there.cache.find('alice', there.store.get)
    there.clock.ms = 200_000
    let asked = 0
    const elsewhere = (access: string) => {
      asked++
      return Promise.resolve(there.cache.known(access))
    }
    const here = cacheOf({ elsewhere })
    here.store.isDown = true
    const find = () => here.cache.find('alice', here.store.get)
    expect(await Promise.all([find(), find(), find()])).toEqual([ALICE, ALICE, ALICE])
    expect(await find()).toEqual(ALICE)
    expect(asked).toBe(1)
    // 120 s + 3,600 s after the look-up there, which was 200 s before.
    here.clock.ms = 3_519_000
    expect(await find()).toEqual(ALICE)
    here.clock.ms = 3_521_000
    there.clock.ms = 3_721_000
    await expect(find()).rejects.toBe(DOWN)
  })

  test('is not asked for where the store answers, and is nothing where nobody knows it', async () => {
    let asked = 0
    const elsewhere = () => Promise.resolve(void asked++)
    const { cache, store } = cacheOf({ elsewhere })
    store.account = undefined
    expect(await cache.find('alice', store.get)).toBeUndefined()
    expect(asked).toBe(0)
    store.isDown = true
    await expect(cache.find('bob', store.get)).rejects.toBe(DOWN)
    expect(asked).toBe(1)
  })

  test('an account forgotten meanwhile is not kept', async () => {
    let answer = (): void => undefined
    const elsewhere = () =>
      new Promise<{ account: Account; staleMs: number }>((resolve) => {
        answer = () => resolve({ account: ALICE, staleMs: 1000 })
      })
    const { cache, store } = cacheOf({ elsewhere })
    store.isDown = true
    const found = cache.find('alice', store.get)
    await sleep(5)
    cache.forget('alice')
    answer()
    await found
    expect(cache.known('alice')).toBeUndefined()
  })
})
