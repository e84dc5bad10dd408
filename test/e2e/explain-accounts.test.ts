import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXPLAINS, delayed, expectCause, explained, type Delayed } from '../support/explained.ts'
import { useGateway, type Fixture } from '../support/fixture.ts'
import { ldapEnvironment, startSlapd, type Slapd } from '../support/slapd.ts'
import { slowFileSystem } from '../support/slow-file-system.ts'
import { findTool } from '../support/tools.ts'
import { VAULT, startVault, type VaultServer } from '../support/vault-server.ts'

/** Account stores of several kinds that take their time: the first request of an account waits for them. */

const DELAY_MS = 300
const ALICE = { access: 'alice', secret: 'alice secret' }
const ACCOUNTS = JSON.stringify({ accessAccounts: { alice: { ...ALICE, role: 'user' } } })

async function expectSlowStore(at: Fixture, name: string): Promise<void> {
  const answer = await at.send('GET', '/', { credentials: ALICE })
  expect(answer.status).toBe(200)
  const told = await explained(at, answer)
  expect(told.sentence).toContain(`fetching the account from the account store (${name})`)
  expectCause(told, 'remote-iam')
  const again = await explained(at, await at.send('GET', '/', { credentials: ALICE }))
  expect(again.sentence).not.toContain('fetching')
}

/** The address of a server, a slow way to it. */
async function slowWay(url: string): Promise<{ readonly url: string; readonly way: Delayed }> {
  const { protocol, port } = new URL(url)
  const way = await delayed(Number(port), DELAY_MS)
  return { url: `${protocol}//127.0.0.1:${way.port}`, way }
}

describe('Vault', () => {
  let vault: VaultServer
  let slow: Awaited<ReturnType<typeof slowWay>>
  beforeAll(async () => {
    vault = await startVault()
    vault.secrets.set(`:${VAULT.mount}/alice`, {
      versions: [{ alice: { ...ALICE, role: 'user' } }],
    })
    slow = await slowWay(vault.endpoint)
  })
  afterAll(async () => {
    slow.way.close()
    await vault[Symbol.asyncDispose]()
  })
  const at = useGateway(() => ({
    flags: [...EXPLAINS.flags, '--iam-vault-endpoint-url', slow.url],
    env: {
      ...EXPLAINS.env,
      VGW_IAM_VAULT_ROLE_ID: VAULT.roleId,
      VGW_IAM_VAULT_ROLE_SECRET: VAULT.secretId,
    },
  }))
  test('is named', () => expectSlowStore(at, 'vault'))
})

const program = findTool('slapd')

describe.skipIf(program === undefined)('LDAP', () => {
  let slapd: Slapd
  let slow: Awaited<ReturnType<typeof slowWay>>
  beforeAll(async () => {
    slapd = await startSlapd(program ?? '')
    await slapd.add('uid=alice,ou=iam', {
      objectClass: 'gatewayAccount',
      gatewaySecret: ALICE.secret,
    })
    slow = await slowWay(slapd.config.url)
  })
  afterAll(async () => {
    slow.way.close()
    await slapd[Symbol.asyncDispose]()
  })
  const at = useGateway(() => {
    const { config } = slapd
    return {
      flags: [...EXPLAINS.flags, '--iam-ldap-url', slow.url],
      env: {
        ...EXPLAINS.env,
        ...ldapEnvironment(config),
      },
    }
  })
  test('is named', () => expectSlowStore(at, 'ldap'))
})

describe('an object of another gateway', () => {
  const other = useGateway()
  let slow: Awaited<ReturnType<typeof slowWay>>
  beforeAll(async () => {
    mkdirSync(other.path('iam'))
    writeFileSync(other.path('iam', 'users.json'), ACCOUNTS)
    slow = await slowWay(other.gateway.endpoint)
  })
  afterAll(() => slow.way.close())
  const at = useGateway(() => ({
    flags: [...EXPLAINS.flags, '--s3-iam-endpoint', slow.url, '--s3-iam-bucket', 'iam'],
    env: {
      ...EXPLAINS.env,
      VGW_S3_IAM_ACCESS_KEY: other.gateway.access,
      VGW_S3_IAM_SECRET_KEY: other.gateway.secret,
    },
  }))
  test('is named', () => expectSlowStore(at, 's3'))
})

const slow = await slowFileSystem()

describe.skipIf(slow === undefined)('a file on a slow file system', () => {
  beforeAll(() => writeFileSync(join(slow?.source ?? '', 'users.json'), ACCOUNTS))
  afterAll(() => slow?.remove())
  const at = useGateway(() => ({
    flags: [...EXPLAINS.flags, '--iam-dir', slow?.dir ?? ''],
    env: EXPLAINS.env,
  }))
  test('is named', async () => {
    slow?.delay({ name: 100 })
    await expectSlowStore(at, 'users.json')
  })
})
