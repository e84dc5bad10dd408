import type { AccountStore } from './account-store.ts'
import { openInternalStore, USERS_FILE, type AccountsFile } from './internal-store.ts'
import { createIpaStore } from './ipa-store.ts'
import { createLdapStore } from './ldap-store.ts'
import { createS3Store } from './s3-store.ts'
import { createSingleStore } from './single-store.ts'
import type { RemoteStoreConfig } from './store-config.ts'
import { createVaultStore } from './vault-store.ts'

/** Which stores are configured, and what they need to be opened. */
export interface StoreOptions {
  readonly internal: { readonly directory: string } | undefined
  readonly remote: RemoteStoreConfig | undefined
  /** Opens a file in a directory that has to exist. */
  readonly openFile: (directory: string, name: string) => Promise<AccountsFile>
}

export interface SelectedStore {
  readonly store: AccountStore
  /** The line with which VersityGW says at its start which one it is. */
  readonly notice: string
}

/** The internal store goes before one over a network; without any, root is alone. Throws a line for the user. */
export async function selectStore(options: StoreOptions): Promise<SelectedStore> {
  const { internal, remote } = options
  if (internal !== undefined) {
    return {
      store: await openInternal(internal.directory, options),
      notice: `initializing internal IAM with "${internal.directory}"`,
    }
  }
  if (remote !== undefined) return openRemote(remote)
  return {
    store: createSingleStore(),
    notice: 'No IAM service configured, enabling single account mode',
  }
}

async function openInternal(directory: string, { openFile }: StoreOptions): Promise<AccountStore> {
  try {
    return await openInternalStore(await openFile(directory, USERS_FILE))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cannot use ${USERS_FILE} in ${directory}: ${reason}`, { cause })
  }
}

/** The service is first asked when the first account is looked up: it may start after the gateway. */
function openRemote(config: RemoteStoreConfig): SelectedStore {
  if (config.type === 'ldap') {
    const { ldap } = config
    return { store: createLdapStore(ldap), notice: `initializing LDAP IAM with "${ldap.url}"` }
  }
  if (config.type === 's3') {
    const { endpoint, bucket } = config.s3
    const notice = `initializing S3 IAM with '${endpoint}/${bucket}'`
    return { store: createS3Store(config.s3), notice }
  }
  if (config.type === 'vault') {
    const { vault } = config
    const notice = `initializing Vault IAM with "${vault.endpoint}"`
    return { store: createVaultStore(vault), notice }
  }
  const { ipa } = config
  return { store: createIpaStore(ipa), notice: `initializing IPA IAM with "${ipa.host}"` }
}
