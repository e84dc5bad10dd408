import type { AccountStore } from './account-store.ts'
import { openInternalStore, USERS_FILE, type AccountsFile } from './internal-store.ts'
import { createSingleStore } from './single-store.ts'

/** Which stores are configured, and what they need to be opened. */
export interface StoreOptions {
  readonly internal: { readonly directory: string } | undefined
  /** Opens a file in a directory that has to exist. */
  readonly openFile: (directory: string, name: string) => Promise<AccountsFile>
}

export interface SelectedStore {
  readonly store: AccountStore
  /** The line with which VersityGW says at its start which one it is. */
  readonly notice: string
}

/** The first that is configured: internal, LDAP, S3, Vault, IPA; none: root alone. Throws a line for the user. */
export async function selectStore(options: StoreOptions): Promise<SelectedStore> {
  const { internal } = options
  if (internal !== undefined) {
    return {
      store: await openInternal(internal.directory, options),
      notice: `initializing internal IAM with "${internal.directory}"`,
    }
  }
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
