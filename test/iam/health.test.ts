import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createIam, type Iam } from '../../src/auth/iam/iam.ts'
import { createVaultStore } from '../../src/auth/iam/vault-store.ts'
import { startVault, VAULT, type VaultServer } from '../support/vault-server.ts'

let vault: VaultServer
let iam: Iam
let told: string[] = []

beforeEach(async () => {
  vault = await startVault()
  told = []
  iam = createIam({
    root: { access: 'root', secret: 'secret of root' },
    store: createVaultStore({
      endpoint: vault.endpoint,
      storagePath: '',
      storageNamespace: undefined,
      mountPath: VAULT.mount,
      login: { kind: 'token', token: VAULT.rootToken },
      serverCert: undefined,
      clientCert: undefined,
      clientCertKey: undefined,
    }),
    cache: { ttlMs: 0, staleMs: 0, pruneMs: 60_000 },
    debug: false,
    log: (level, _, message) => told.push(`${level}: ${message}`),
  })
})
afterEach(async () => {
  await iam.close()
  await vault[Symbol.asyncDispose]()
})

describe('health of a store over a network', () => {
  const find = async (access: string): Promise<unknown> =>
    Promise.resolve(iam.find(access, undefined)).catch((error: unknown) => (error as Error).name)

  test('is told when it stops answering and when it answers again', async () => {
    await find('alice')
    vault.intercept = (_, response) => response.writeHead(503).end('{"errors":["sealed"]}')
    await find('alice')
    await find('bob')
    vault.intercept = undefined
    await find('alice')
    await find('alice')
    expect(told).toEqual([
      'warn: the account store cannot be asked; accounts that are known go on',
      'info: the account store answers again',
    ])
  })

  test('does not depend on one odd account', async () => {
    vault.secrets.set(':kv-v2/odd', { versions: [{ odd: { secret: 3 } }] })
    expect(await find('odd')).toBe('S3Error')
    expect(told).toEqual([])
  })
})
