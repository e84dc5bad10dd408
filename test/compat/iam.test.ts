import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Account, AccountStore } from '../../src/auth/iam/account-store.ts'
import { openInternalStore } from '../../src/auth/iam/internal-store.ts'
import { createIo } from '../../src/io/native.ts'
import { openSharedFile } from '../../src/io/shared-file.ts'
import { accountOf } from '../support/accounts.ts'
import { freePort } from '../support/gateway.ts'

/** Path of a VersityGW binary; it is not part of this repository, so without one there is nothing to do here. */
const versitygw = process.env['VERSITYGW']
const ROOT = ['--access', 'root', '--secret', 'secret of root']
const run = promisify(execFile)

describe.skipIf(versitygw === undefined)('users.json between VersityGW and us', () => {
  const program = versitygw ?? ''
  let dir = ''
  let data = ''
  let port = 0
  let stop = (): Promise<void> => Promise.resolve()

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vgw-iam-'))
    data = await mkdtemp(join(tmpdir(), 'vgw-data-'))
  })
  afterEach(async () => {
    await stop()
    await rm(dir, { recursive: true })
    await rm(data, { recursive: true })
  })

  async function startVersitygw(): Promise<void> {
    port = await freePort()
    const listen = ['--port', `127.0.0.1:${port}`, '--iam-dir', dir]
    const child = spawn(program, [...ROOT, ...listen, '--quiet', 'posix', data], {
      stdio: 'ignore',
    })
    const gone = new Promise<void>((resolve) => child.on('close', () => resolve()))
    stop = () => {
      child.kill()
      return gone
    }
    for (let i = 0; i < 100; i++) {
      if (await fetch(`http://127.0.0.1:${port}`).catch(() => undefined)) return
      await sleep(50)
    }
    throw new Error('VersityGW does not answer')
  }

  async function admin(...args: string[]): Promise<string> {
    const endpoint = ['--endpoint-url', `http://127.0.0.1:${port}`]
    return (await run(program, ['admin', ...ROOT, ...endpoint, ...args])).stdout
  }

  async function withStore<T>(use: (store: AccountStore) => Promise<T>): Promise<T> {
    const io = createIo({ threads: 1 })
    const store = await openInternalStore(await openSharedFile(io, dir, 'users.json'))
    try {
      return await use(store)
    } finally {
      await store.close()
      await io.close()
    }
  }

  const ALICE: Account = accountOf('alice', 'sécret <&>"\\', {
    role: 'userplus',
    userId: 1000,
    groupId: 1001,
    projectId: 7,
  })

  test('its file is read by us', async () => {
    await startVersitygw()
    const ids = ['--user-id', '1000', '--group-id', '1001', '--project-id', '7']
    await admin(
      'create-user',
      '--access',
      'alice',
      '--secret',
      ALICE.secret,
      '--role',
      'userplus',
      ...ids,
    )
    await admin('create-user', '--access', 'bob', '--secret', 'b', '--role', 'admin')
    expect(await withStore((store) => store.list({}))).toEqual([
      ALICE,
      accountOf('bob', 'b', { role: 'admin' }),
    ])
  })

  test('ours is read and changed by it, and then again by us', async () => {
    await withStore(async (store) => {
      await store.create(ALICE, {})
      await store.create(accountOf('bob', 'b'), {})
    })
    await startVersitygw()
    const rows = (await admin('list-users')).split('\n').map((line) => line.split(/\s+/))
    expect(rows.slice(2, 4)).toEqual([
      ['alice', 'userplus', '1000', '1001', '7'],
      ['bob', 'user', '0', '0', '0'],
    ])
    await admin('update-user', '--access', 'bob', '--secret', 'changed')
    const theirs = await readFile(join(dir, 'users.json'), 'utf8')
    await withStore(async (store) => {
      expect(await store.get('bob', {})).toEqual(accountOf('bob', 'changed'))
      await store.update('bob', { userId: 5 }, {})
    })
    expect(await readFile(join(dir, 'users.json'), 'utf8')).toBe(
      theirs.replace(/("bob".*"userID":)0/, '$15'),
    )
    expect(await readFile(join(dir, 'users.json.backup'), 'utf8')).toBe(theirs)
  })
})
