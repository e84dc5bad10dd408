import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import { createIpaStore } from '../../src/auth/iam/ipa-store.ts'
import { createLdapStore } from '../../src/auth/iam/ldap-store.ts'
import { createS3Store } from '../../src/auth/iam/s3-store.ts'
import { createVaultStore } from '../../src/auth/iam/vault-store.ts'
import { accountOf } from '../support/accounts.ts'
import { startGateway } from '../support/gateway.ts'
import { IPA, startIpa } from '../support/ipa-server.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { startSlapd } from '../support/slapd.ts'
import { findTool } from '../support/tools.ts'
import { startVault, VAULT } from '../support/vault-server.ts'
import { startVersitygw, versitygw, type PeerGateway } from '../support/versitygw.ts'

const slapd = findTool('slapd')

describe.skipIf(versitygw === undefined)('accounts that VersityGW and we keep in one place', () => {
  function startPeer(settings: Readonly<Record<string, string>>): Promise<PeerGateway> {
    const flags = Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, value])
    return startVersitygw({ flags: ['--iam-cache-disable', ...flags] })
  }

  /** Status of ListBuckets at VersityGW. */
  async function logIn(
    { endpoint }: PeerGateway,
    access: string,
    secret: string,
  ): Promise<number | undefined> {
    const client = new S3Client({
      endpoint,
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
  async function bothWays(peer: PeerGateway, store: AccountStore): Promise<void> {
    const alice = accountOf('alice', 'alice secret', { role: 'userplus', userId: 7, groupId: 8 })
    await store.create(alice, {})
    expect(await logIn(peer, 'alice', 'alice secret')).toBe(200)
    expect(await peer.admin('list-users')).toMatch(/alice\s+userplus\s+7\s+8\s+0/)
    await peer.admin('update-user', '--access', 'alice', '--role', 'admin')
    expect(await store.get('alice', {})).toEqual({ ...alice, role: 'admin' })
    await peer.admin('create-user', '--access', 'bob', '--secret', 'b', '--role', 'user')
    expect(await store.list({})).toEqual([{ ...alice, role: 'admin' }, accountOf('bob', 'b')])
    await store.update('bob', { secret: 'changed' }, {})
    expect(await logIn(peer, 'bob', 'changed')).toBe(200)
    await store.delete('bob', {})
    await peer.admin('delete-user', '--access', 'alice')
    expect(await store.list({})).toEqual([])
    await store.close()
  }

  test.skipIf(slapd === undefined)('LDAP', async () => {
    await using directory = await startSlapd(slapd ?? '')
    const { config } = directory
    const { attributes } = config
    await using peer = await startPeer({
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
    await bothWays(peer, createLdapStore(config))
  })

  test('an S3 object', async () => {
    await using bucket = await startGateway()
    const { endpoint, access, secret, dir } = bucket
    await mkdir(join(dir, 'iam'))
    await using peer = await startPeer({
      's3-iam-endpoint': endpoint,
      's3-iam-bucket': 'iam',
      's3-iam-access': access,
      's3-iam-secret': secret,
    })
    const s3 = { endpoint, bucket: 'iam', access, secret, region: 'us-east-1', verifyTls: true }
    await bothWays(peer, createS3Store(s3))
  })

  test('Vault', async () => {
    await using vault = await startVault()
    await using peer = await startPeer({
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
    await bothWays(peer, store)
  })

  test('FreeIPA', async () => {
    await using ipa = await startIpa(makeCertificate('rsa'), {
      users: { alice: { uid: ['alice'], uidnumber: ['1'], gidnumber: ['2'] } },
      vaults: { alice: 'alice secret' },
      padding: 'pkcs1',
      algorithm: 'aes-128-cbc',
    })
    await using peer = await startPeer({
      'ipa-host': ipa.host,
      'ipa-vault-name': IPA.vaultName,
      'ipa-user': IPA.user,
      'ipa-password': IPA.password,
    })
    expect(await logIn(peer, 'alice', 'alice secret')).toBe(200)
    const store = createIpaStore({ host: ipa.host, ...IPA, verifyTls: true })
    expect(await store.get('alice', {})).toMatchObject({ secret: 'alice secret', groupId: 2 })
    await store.close()
  })
})
