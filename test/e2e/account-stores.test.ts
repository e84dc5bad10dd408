import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { IPA, startIpa, type IpaServer } from '../support/ipa-server.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { ldapEnvironment, startSlapd, type Slapd } from '../support/slapd.ts'
import { findTool } from '../support/tools.ts'
import { startVault, VAULT, type VaultServer } from '../support/vault-server.ts'

const program = findTool('slapd')

interface Reply {
  readonly status: number
  readonly ms: number
}

describe.skipIf(program === undefined)('accounts in LDAP', () => {
  let slapd: Slapd
  // Before the gateway that asks it.
  beforeAll(async () => {
    slapd = await startSlapd(program ?? '')
    for (const uid of ['alice', 'bob', 'carol', 'dave']) {
      await slapd.add(`uid=${uid},ou=iam`, {
        objectClass: 'gatewayAccount',
        gatewaySecret: `${uid} secret`,
      })
    }
  })
  afterAll(async () => {
    await slapd[Symbol.asyncDispose]()
  })
  const fixture = useGateway(() => {
    const { config } = slapd
    return {
      flags: ['--iam-ldap-url', config.url, '--iam-cache-ttl', '1'],
      env: ldapEnvironment(config),
    }
  })

  const listBuckets = async (access: string, secret = `${access} secret`): Promise<Reply> => {
    const start = performance.now()
    const { status } = await fixture.send('GET', '/', { credentials: { access, secret } })
    return { status, ms: performance.now() - start }
  }

  test('says so at its start', async () => {
    await fixture.gateway.waitFor(/initializing LDAP IAM with "ldap:/)
  })

  test('a known account, a wrong secret, nobody', async () => {
    expect((await listBuckets('alice')).status).toBe(200)
    expect((await listBuckets('alice', 'wrong')).status).toBe(403)
    expect((await listBuckets('nobody')).status).toBe(403)
    expect((await listBuckets('*')).status).toBe(403)
  })

  test('slapd stopped: known accounts and root go on, others get a clear answer, nothing hangs', async () => {
    expect((await listBuckets('alice')).status).toBe(200)
    await slapd.kill('SIGSTOP')
    try {
      const stranger = listBuckets('bob')
      for (let i = 0; i < 20; i++) {
        expect((await listBuckets('alice')).status).toBe(200)
        expect((await fixture.send('GET', '/')).status).toBe(200)
      }
      const { status, ms } = await stranger
      expect(status).toBeGreaterThanOrEqual(500)
      expect(ms).toBeLessThan(19_000)
    } finally {
      await slapd.kill('SIGCONT')
    }
  })

  test('slapd killed: the same, at once; started again: all is well', async () => {
    expect((await listBuckets('alice')).status).toBe(200)
    await slapd.kill('SIGKILL')
    const stranger = await listBuckets('carol')
    expect(stranger.status).toBeGreaterThanOrEqual(500)
    expect(stranger.ms).toBeLessThan(8000)
    // Beyond the second for which it is not looked up again.
    const deadline = Date.now() + 2500
    while (Date.now() < deadline) expect((await listBuckets('alice')).status).toBe(200)
    await slapd.start()
    expect((await listBuckets('dave')).status).toBe(200)
  })

  test('no secret is in the log', () => {
    const log = fixture.gateway.stdout + fixture.gateway.stderr
    expect(log).not.toMatch(/(alice|bob|carol|dave) secret/)
    expect(log).not.toContain(slapd.config.bindPassword)
  })
})

describe('accounts in Vault', () => {
  let vault: VaultServer
  // Before the gateway that asks it.
  beforeAll(async () => {
    vault = await startVault()
    const alice = { access: 'alice', secret: 'alice secret', role: 'user' }
    vault.secrets.set(':kv-v2/users/alice', { versions: [{ alice }] })
  })
  afterAll(async () => {
    await vault[Symbol.asyncDispose]()
  })
  const fixture = useGateway(() => ({
    flags: ['--iam-vault-endpoint-url', vault.endpoint, '--iam-vault-secret-storage-path', 'users'],
    env: { VGW_IAM_VAULT_ROLE_ID: VAULT.roleId, VGW_IAM_VAULT_ROLE_SECRET: VAULT.secretId },
  }))

  test('log in', async () => {
    const credentials = { access: 'alice', secret: 'alice secret' }
    expect((await fixture.send('GET', '/', { credentials })).status).toBe(200)
    const stranger = { access: 'bob', secret: 'alice secret' }
    expect((await fixture.send('GET', '/', { credentials: stranger })).status).toBe(403)
    await fixture.gateway.waitFor(/initializing Vault IAM with "http:/)
  })
})

describe('accounts in FreeIPA', () => {
  let ipa: IpaServer
  // Before the gateway that asks it.
  beforeAll(async () => {
    ipa = await startIpa(makeCertificate('rsa'), {
      users: { alice: { uid: ['alice'], uidnumber: ['1'], gidnumber: ['1'] } },
      vaults: { alice: 'alice secret' },
      padding: 'pkcs1',
      algorithm: 'aes-128-cbc',
    })
  })
  afterAll(async () => {
    await ipa[Symbol.asyncDispose]()
  })
  const fixture = useGateway(() => ({
    flags: ['--ipa-host', ipa.host, '--ipa-user', IPA.user, '--ipa-vault-name', IPA.vaultName],
    env: { VGW_IPA_PASSWORD: IPA.password },
  }))

  test('log in', async () => {
    const credentials = { access: 'alice', secret: 'alice secret' }
    expect((await fixture.send('GET', '/', { credentials })).status).toBe(200)
    await fixture.gateway.waitFor(/initializing IPA IAM with "http:/)
  })
})

describe('accounts in an object of another gateway', () => {
  const other = useGateway()
  const fixture = useGateway(() => ({
    flags: ['--s3-iam-endpoint', other.gateway.endpoint, '--s3-iam-bucket', 'iam'],
    env: {
      VGW_S3_IAM_ACCESS_KEY: other.gateway.access,
      VGW_S3_IAM_SECRET_KEY: other.gateway.secret,
    },
  }))

  test('log in', async () => {
    const users = '{"accessAccounts":{"alice":{"access":"alice","secret":"s","role":"user"}}}'
    expect((await other.send('PUT', '/iam')).status).toBe(200)
    expect((await other.send('PUT', '/iam/users.json', { body: users })).status).toBe(200)
    const credentials = { access: 'alice', secret: 's' }
    expect((await fixture.send('GET', '/', { credentials })).status).toBe(200)
    await fixture.gateway.waitFor(/initializing S3 IAM with 'http:.*\/iam'/)
  })
})
