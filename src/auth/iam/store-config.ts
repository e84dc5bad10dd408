/** What the stores that are asked over the network are told; one of them at most is in use. */
export type RemoteStoreConfig =
  | { readonly type: 'ldap'; readonly ldap: LdapStoreConfig }
  | { readonly type: 's3'; readonly s3: S3StoreConfig }
  | { readonly type: 'vault'; readonly vault: VaultStoreConfig }
  | { readonly type: 'ipa'; readonly ipa: IpaStoreConfig }

export interface LdapStoreConfig {
  /** `ldap://host:port` or `ldaps://host:port`. */
  readonly url: string
  readonly bindDn: string
  readonly bindPassword: string
  /** Accounts are looked for below it, and made as its children. */
  readonly queryBase: string
  /** What every account's entry has. */
  readonly objectClasses: readonly string[]
  readonly attributes: LdapAttributes
  readonly verifyTls: boolean
}

/** Names of attributes in the directory. */
export interface LdapAttributes {
  readonly access: string
  readonly secret: string
  readonly role: string
  readonly userId: string
  readonly groupId: string
  readonly projectId: string
}

export interface S3StoreConfig {
  readonly endpoint: string
  readonly bucket: string
  readonly access: string
  readonly secret: string
  readonly region: string
  readonly verifyTls: boolean
}

export interface VaultStoreConfig {
  readonly endpoint: string
  /** Where the accounts lie in the mount; empty at its root. */
  readonly storagePath: string
  readonly storageNamespace: string | undefined
  /** The KV v2 engine. */
  readonly mountPath: string
  readonly login: VaultLogin
  /** PEM texts. */
  readonly serverCert: string | undefined
  readonly clientCert: string | undefined
  readonly clientCertKey: string | undefined
}

export type VaultLogin =
  | { readonly kind: 'token'; readonly token: string }
  | {
      readonly kind: 'approle'
      /** Path of the auth method's mount. */
      readonly mount: string
      readonly namespace: string | undefined
      readonly roleId: string
      readonly roleSecret: string
    }

export interface IpaStoreConfig {
  /** `https://host`. */
  readonly host: string
  readonly user: string
  readonly password: string
  /** The vault of each user that holds the secret key. */
  readonly vaultName: string
  readonly verifyTls: boolean
}
