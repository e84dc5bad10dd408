import { chmod, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import { openInternalStore } from '../../src/auth/iam/internal-store.ts'
import { createIo } from '../../src/io/native.ts'
import { openSharedFile } from '../../src/io/shared-file.ts'
import { S3Error } from '../../src/s3/errors.ts'
import { accountOf } from '../support/accounts.ts'

let dir = ''
let io = createIo({ threads: 1 })
let open: AccountStore[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vgw-iam-'))
  io = createIo({ threads: 2 })
  open = []
})
afterEach(async () => {
  await Promise.all(open.map((store) => store.close()))
  await io.close()
  await rm(dir, { recursive: true, force: true })
})

async function openStore(missingMs?: number): Promise<AccountStore> {
  const file = await openSharedFile(io, dir, 'users.json')
  const store = await openInternalStore(file, missingMs === undefined ? {} : { missingMs })
  open.push(store)
  return store
}

const text = (name = 'users.json'): Promise<string> => readFile(join(dir, name), 'utf8')

async function failure(answer: Promise<unknown>): Promise<S3Error> {
  const error = await answer.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (error instanceof S3Error) return error
  throw new Error(`not an S3Error: ${String(error)}`)
}

describe('contract 5.2: users.json', () => {
  test('is made at the first start, for its owner alone', async () => {
    await openStore()
    expect(await text()).toBe('{"accessAccounts":{}}')
    expect((await stat(join(dir, 'users.json'))).mode & 0o777).toBe(0o600)
  })

  test('the content before an update is in users.json.backup, for its owner alone', async () => {
    const store = await openStore()
    await store.create(accountOf('u1', 's1'), {})
    expect(await text('users.json.backup')).toBe('{"accessAccounts":{}}')
    const before = await text()
    expect(before).toBe(
      '{"accessAccounts":{"u1":{"access":"u1","secret":"s1","role":"user","userID":0,"groupID":0,"projectID":0}}}',
    )
    await store.update('u1', { secret: 's2' }, {})
    expect(await text('users.json.backup')).toBe(before)
    expect((await stat(join(dir, 'users.json.backup'))).mode & 0o777).toBe(0o600)
    expect((await stat(join(dir, 'users.json'))).mode & 0o777).toBe(0o600)
  })

  test('nothing else is left in the directory', async () => {
    const store = await openStore()
    for (let i = 0; i < 5; i++) await store.create(accountOf(`u${i}`, 's'), {})
    const names = await readdir(dir)
    expect(names.sort()).toEqual(['users.json', 'users.json.backup', 'users.json.lock'])
  })

  test('accounts are created, found, changed, listed and deleted', async () => {
    const store = await openStore()
    const account = accountOf('u', 's', { role: 'userplus', userId: 1, groupId: 2, projectId: 3 })
    await store.create(account, {})
    await store.create(accountOf('a', 's'), {})
    expect(await store.get('u', {})).toEqual(account)
    expect(await store.get('nobody', {})).toBeUndefined()
    const changed = { ...account, role: 'admin', userId: 9 }
    expect(await store.update('u', { role: 'admin', userId: 9 }, {})).toEqual(changed)
    expect(await store.list({})).toEqual([accountOf('a', 's'), changed])
    await store.delete('u', {})
    expect(await store.get('u', {})).toBeUndefined()
  })

  test('deleting an unknown user succeeds and writes nothing', async () => {
    const store = await openStore()
    const before = await stat(join(dir, 'users.json'))
    await store.delete('nobody', {})
    expect((await stat(join(dir, 'users.json'))).ino).toBe(before.ino)
  })

  test('XAdminUserExists and XAdminUserNotFound', async () => {
    const store = await openStore()
    await store.create(accountOf('u', 's'), {})
    expect((await failure(store.create(accountOf('u', 't'), {}))).code).toBe('XAdminUserExists')
    expect((await failure(store.update('x', { secret: 't' }, {}))).code).toBe('XAdminUserNotFound')
    expect((await store.get('u', {}))?.secret).toBe('s')
  })

  test('another writer is seen at once, also one whose file has the same size', async () => {
    const store = await openStore()
    const other = await openStore()
    for (let i = 0; i < 50; i++) {
      const secret = `s${String(i).padStart(4, '0')}`
      if (i === 0) await store.create(accountOf('u', secret), {})
      else await (i % 2 === 0 ? store : other).update('u', { secret }, {})
      expect((await store.get('u', {}))?.secret).toBe(secret)
      expect((await other.get('u', {}))?.secret).toBe(secret)
    }
  })

  test('a change by hand is seen, also once the file has been left alone', async () => {
    const store = await openStore()
    await store.create(accountOf('u', 'old'), {})
    await sleep(2100)
    expect((await store.get('u', {}))?.secret).toBe('old')
    expect((await store.get('u', {}))?.secret).toBe('old')
    await writeFile(join(dir, 'users.json'), (await text()).replace('old', 'new'))
    expect((await store.get('u', {}))?.secret).toBe('new')
  })
})

describe('contract 5.2: a missing users.json', () => {
  test('readers wait for it', async () => {
    const store = await openStore()
    await store.create(accountOf('u', 's'), {})
    await rename(join(dir, 'users.json'), join(dir, 'away'))
    const answers = [store.get('u', {}), store.update('u', { userId: 5 }, {})]
    await sleep(300)
    await rename(join(dir, 'away'), join(dir, 'users.json'))
    expect((await Promise.all(answers)).map((account) => account?.secret)).toEqual(['s', 's'])
    expect((await store.get('u', {}))?.userId).toBe(5)
  })

  const WAIT_MS = 3000

  test('not for ever, and once they have waited it fails at once; it is not made anew', async () => {
    const store = await openStore(WAIT_MS)
    await rm(join(dir, 'users.json'))
    const error = await failure(store.get('u', {}))
    expect([error.code, String(error.cause)]).toEqual([
      'InternalError',
      'Error: users.json is missing',
    ])
    const start = performance.now()
    await failure(store.get('u', {}))
    await failure(store.create(accountOf('u', 's'), {}))
    expect(performance.now() - start).toBeLessThan(WAIT_MS)
    expect(await readdir(dir)).not.toContain('users.json')
  })
})

describe('a corrupt users.json', () => {
  const CORRUPT = '{"accessAccounts":{"u":{"access":"u","secret":"TOPSECRET"'

  test('is a clear error that tells no secret, and is never overwritten', async () => {
    const store = await openStore()
    await writeFile(join(dir, 'users.json'), CORRUPT)
    const errors = await Promise.all([
      failure(store.get('u', {})),
      failure(store.list({})),
      failure(store.create(accountOf('v', 's'), {})),
      failure(store.update('u', { secret: 's' }, {})),
      failure(store.delete('u', {})),
    ])
    for (const { code, message, cause } of errors) {
      expect(code).toBe('InternalError')
      expect(message).not.toContain('users.json')
      expect(String(cause)).toBe('Error: users.json cannot be read: it is not JSON')
    }
    expect(await text()).toBe(CORRUPT)
  })

  test('is refused at the start', async () => {
    await writeFile(join(dir, 'users.json'), CORRUPT)
    await expect(openStore()).rejects.toThrow('it is not JSON')
    expect(await text()).toBe(CORRUPT)
  })
})

describe('failures of the file system', () => {
  test.each([
    ['fsync', 5],
    ['pwritev', 28],
    ['renameat2', 13],
  ] as const)(
    '%s fails: the update fails, the file stays, nothing is left',
    async (call, errno) => {
      const store = await openStore()
      await store.create(accountOf('u', 's'), {})
      const before = await text()
      io.faults.set({ call, times: 1, errno })
      const error = await failure(store.update('u', { secret: 'changed' }, {}))
      expect(error.code).toBe('InternalError')
      io.faults.clear()
      expect(await text()).toBe(before)
      expect((await store.get('u', {}))?.secret).toBe('s')
      const names = await readdir(dir)
      expect(names.sort()).toEqual(['users.json', 'users.json.backup', 'users.json.lock'])
    },
  )

  test('what a killed process left behind goes at the next start, and nothing else', async () => {
    await writeFile(join(dir, 'users.json.0123456789abcdef'), 'half')
    await writeFile(join(dir, 'users.json.mine'), 'kept')
    await openStore()
    expect((await readdir(dir)).sort()).toEqual([
      'users.json',
      'users.json.lock',
      'users.json.mine',
    ])
  })

  test('a file alone that can be read is served from a directory that cannot be written', async () => {
    await writeFile(
      join(dir, 'users.json'),
      '{"accessAccounts":{"u":{"secret":"s","role":"user"}}}',
    )
    await chmod(dir, 0o500)
    const store = await openStore()
    expect((await store.get('u', {}))?.secret).toBe('s')
    await chmod(dir, 0o700)
  })
})
