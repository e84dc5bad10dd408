import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Account, AccountStore } from '../../src/auth/iam/account-store.ts'
import { openInternalStore } from '../../src/auth/iam/internal-store.ts'
import { createIo } from '../../src/io/native.ts'
import { openSharedFile } from '../../src/io/shared-file.ts'
import { accountOf } from '../support/accounts.ts'
import { startVersitygw, versitygw } from '../support/versitygw.ts'

describe.skipIf(versitygw === undefined)('users.json between VersityGW and us', () => {
  let dir = ''
  let data = ''

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vgw-iam-'))
    data = await mkdtemp(join(tmpdir(), 'vgw-data-'))
  })
  afterEach(async () => {
    await rm(dir, { recursive: true })
    await rm(data, { recursive: true })
  })

  const startPeer = () => startVersitygw({ flags: ['--iam-dir', dir], data })

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
    await using peer = await startPeer()
    const ids = ['--user-id', '1000', '--group-id', '1001', '--project-id', '7']
    await peer.admin(
      'create-user',
      '--access',
      'alice',
      '--secret',
      ALICE.secret,
      '--role',
      'userplus',
      ...ids,
    )
    await peer.admin('create-user', '--access', 'bob', '--secret', 'b', '--role', 'admin')
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
    await using peer = await startPeer()
    const rows = (await peer.admin('list-users')).split('\n').map((line) => line.split(/\s+/))
    expect(rows.slice(2, 4)).toEqual([
      ['alice', 'userplus', '1000', '1001', '7'],
      ['bob', 'user', '0', '0', '0'],
    ])
    await peer.admin('update-user', '--access', 'bob', '--secret', 'changed')
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
