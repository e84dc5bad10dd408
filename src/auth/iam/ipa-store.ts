import { S3Error } from '../../s3/errors.ts'
import { toId } from './account-record.ts'
import type { Account, AccountStore, StoreCall } from './account-store.ts'
import { IpaClient, IpaError } from './ipa-client.ts'
import { IpaVaults } from './ipa-vault.ts'
import { RemoteCalls, unusableAccount, type RemoteOptions } from './remote-calls.ts'
import type { IpaStoreConfig } from './store-config.ts'

/**
 * Users of a FreeIPA domain, each with the secret key in a vault of their own. Their ids are the domain's, their role is
 * always `user`, and nothing is written.
 */
export function createIpaStore(config: IpaStoreConfig, options: RemoteOptions = {}): AccountStore {
  const calls = new RemoteCalls('ipa', options)
  const client = new IpaClient(config)
  const vaults = new IpaVaults(client, config.vaultName)
  return {
    type: 'ipa',
    get: (access, call) =>
      calls.run((signal) => findUser(client, vaults, access, { ...call, signal }), call),
    create: refuse,
    update: refuse,
    delete: refuse,
    list: refuse,
    async close() {
      calls.close()
      client.close()
    },
  }
}

const NOT_FOUND = 4001

/** Names that FreeIPA's own rules exclude. */
const INVALID_NAME = new Set([3007, 3008, 3009])

async function findUser(
  client: IpaClient,
  vaults: IpaVaults,
  access: string,
  request: StoreCall & { readonly signal: AbortSignal },
): Promise<Account | undefined> {
  try {
    const user = await client.command('user_show', [access], {}, request)
    // FreeIPA finds names in any case; an access key is one word. Disabled and preserved users cannot log in.
    if (!valuesOf(user['uid']).includes(access)) return undefined
    if (isTrue(user['nsaccountlock']) || isTrue(user['preserved'])) return undefined
    const userId = toId(valuesOf(user['uidnumber'])[0])
    const groupId = toId(valuesOf(user['gidnumber'])[0])
    if (userId === undefined || groupId === undefined) {
      throw unusableAccount(`ipa: user ${JSON.stringify(access)} has odd ids`)
    }
    const secret = await vaults.retrieve(access, request)
    if (secret === '') return undefined
    return { access, secret, role: 'user', userId, groupId, projectId: 0 }
  } catch (error) {
    // No such user, or one without that vault.
    const absent =
      error instanceof IpaError && (error.code === NOT_FOUND || INVALID_NAME.has(error.code))
    if (absent) return undefined
    throw error
  }
}

async function refuse(): Promise<never> {
  throw new S3Error(
    'XAdminMethodNotSupported',
    {},
    { message: 'Accounts are kept in FreeIPA, which this gateway only reads.' },
  )
}

/** LDAP attributes come as lists, some as a single value. */
function valuesOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return value === undefined || value === null ? [] : [value]
}

function isTrue(value: unknown): boolean {
  return valuesOf(value).some((one) => one === true || String(one).toLowerCase() === 'true')
}
