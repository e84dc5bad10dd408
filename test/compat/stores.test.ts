import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import { createIpaStore } from '../../src/auth/iam/ipa-store.ts'
import { createLdapStore } from '../../src/auth/iam/ldap-store.ts'
import { createS3Store } from '../../src/auth/iam/s3-store.ts'
import { createVaultStore } from '../../src/auth/iam/vault-store.ts'
import { accountOf } from '../support/accounts.ts'
import { freePort, startGateway } from '../support/gateway.ts'
import { IPA, startIpa } from '../support/ipa-server.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { startSlapd } from '../support/slapd.ts'
import { findTool } from '../support/tools.ts'
import { startVault, VAULT } from '../support/vault-server.ts'

/** Path of a VersityGW binary; it is not part of this repository, so without one there is nothing to do here. */
const versitygw = process.env['VERSITYGW']
const slapd = findTool('slapd')
const ROOT = ['--access', 'root', '--secret', 'secret of root']
const run = promisify(execFile)

describe.skipIf(versitygw === undefined)('accounts that VersityGW and we keep in one place', () => {
  const program = versitygw ?? ''
  let data = ''
  let port = 0
  let stop = (): Promise<void> => Promise.resolve()

  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'vgw-data-'))
  })
  afterEach(async () => {
    await stop()
    await rm(data, { recursive: true })
  })

  async function startVersitygw(settings: Readonly<Record<string, string>>): Promise<void> {
    port = await freePort()
    const listen = ['--port', `127.0.0.1:${port}`, '--iam-cache-disable', '--quiet']
    const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value])
    const { PATH } = process.env
    const child = spawn(program, [...ROOT, ...listen, ...flags, 'posix', data], {
      stdio: 'ignore',
      env: { PATH },
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

  /** Status of ListBuckets at VersityGW. */
  async function logIn(access: string, secret: string): Promise<number | undefined> {
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: access, secretAccessKey: secret },
      maxAttempts: 1,
    })
    try {
      const { $metadata } = await client.send(new ListBucketsCommand())
      return $metadata.httpStatusCode
    } finally {
      client.destroy()
    }
  }

  /** Ours is read and changed by VersityGW, its own by us. */
  async function bothWays(store: AccountStore): Promise<void> {
    const alice = accountOf('alice', 'alice secret', { role: 'userplus', userId: 7, groupId: 8 })
    await store.create(alice, {})
    expect(await logIn('alice', 'alice secret')).toBe(200)
    expect(await admin('list-users')).toMatch(/alice\s+userplus\s+7\s+8\s+0/)
    await admin('update-user', '--access', 'alice', '--role', 'admin')
    expect(await store.get('alice', {})).toEqual({ ...alice, role: 'admin' })
    await admin('create-user', '--access', 'bob', '--secret', 'b', '--role', 'user')
    expect(await store.list({})).toEqual([{ ...alice, role: 'admin' }, accountOf('bob', 'b')])
    await store.update('bob', { secret: 'changed' }, {})
    expect(await logIn('bob', 'changed')).toBe(200)
    await store.delete('bob', {})
    await admin('delete-user', '--access', 'alice')
    expect(await store.list({})).toEqual([])
    await store.close()
  }

  test.skipIf(slapd === undefined)('LDAP', async () => {
    await using directory = await startSlapd(slapd ?? '')
    const { config } = directory
    const { attributes } = config
    await startVersitygw({
      'iam-ldap-url': config.url,
      'iam-ldap-query-base': config.queryBase,
      'iam-ldap-bind-dn': config.bindDn,
      'iam-ldap-bind-pass': config.bindPassword,
      'iam-ldap-object-classes': config.objectClasses.join(','),
      'iam-ldap-access-atr': attributes.access,
      'iam-ldap-secret-atr': attributes.secret,
      'iam-ldap-role-atr': attributes.role,
      'iam-ldap-user-id-atr': attributes.userId,
      'iam-ldap-group-id-atr': attributes.groupId,
      'iam-ldap-project-id-atr': attributes.projectId,
    })
    await bothWays(createLdapStore(config))
  })

  test('an S3 object', async () => {
    await using bucket = await startGateway()
    const { endpoint, access, secret, dir } = bucket
    await run('mkdir', [join(dir, 'iam')])
    await startVersitygw({
      's3-iam-endpoint': endpoint,
      's3-iam-bucket': 'iam',
      's3-iam-access': access,
      's3-iam-secret': secret,
    })
    const s3 = { endpoint, bucket: 'iam', access, secret, region: 'us-east-1', verifyTls: true }
    await bothWays(createS3Store(s3))
  })

  test('Vault', async () => {
    await using vault = await startVault()
    await startVersitygw({
      'iam-vault-endpoint-url': vault.endpoint,
      'iam-vault-secret-storage-path': 'users',
      'iam-vault-root-token': VAULT.rootToken,
    })
    const store = createVaultStore({
      endpoint: vault.endpoint,
      storagePath: 'users',
      storageNamespace: undefined,
      mountPath: 'kv-v2',
      login: { kind: 'token', token: VAULT.rootToken },
      serverCert: undefined,
      clientCert: undefined,
      clientCertKey: undefined,
    })
    await bothWays(store)
  })

  test('FreeIPA', async () => {
    await using ipa = await startIpa(makeCertificate('rsa'), {
      users: { alice: { uid: ['alice'], uidnumber: ['1'], gidnumber: ['2'] } },
      vaults: { alice: 'alice secret' },
      padding: 'pkcs1',
      algorithm: 'aes-128-cbc',
    })
    await startVersitygw({
      'ipa-host': ipa.host,
      'ipa-vault-name': IPA.vaultName,
      'ipa-user': IPA.user,
      'ipa-password': IPA.password,
    })
    expect(await logIn('alice', 'alice secret')).toBe(200)
    const store = createIpaStore({ host: ipa.host, ...IPA, verifyTls: true })
    expect(await store.get('alice', {})).toMatchObject({ secret: 'alice secret', groupId: 2 })
    await store.close()
  })
})
