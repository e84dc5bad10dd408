import { createPrivateKey, X509Certificate } from 'node:crypto'
import type {
  IpaStoreConfig,
  LdapStoreConfig,
  RemoteStoreConfig,
  S3StoreConfig,
  VaultLogin,
  VaultStoreConfig,
} from '../auth/iam/store-config.ts'
import type { IAM_STORE_SETTINGS } from './iam-store-settings.ts'
import type { Values } from './setting.ts'
import { ConfigError } from './values.ts'

type Settings = Values<typeof IAM_STORE_SETTINGS>

/**
 * The first that is configured of LDAP, S3, Vault and FreeIPA; undefined where none is. Each is chosen by its address, and then
 * everything it needs must be there: half a setting must not end in a gateway without accounts.
 */
export function readIamStore(settings: Settings): RemoteStoreConfig | undefined {
  if (isGiven(settings.iamLdapUrl)) return { type: 'ldap', ldap: ldapStore(settings) }
  if (isGiven(settings.s3IamEndpoint) || isGiven(settings.s3IamBucket)) {
    return { type: 's3', s3: s3Store(settings) }
  }
  if (isGiven(settings.iamVaultEndpointUrl)) return { type: 'vault', vault: vaultStore(settings) }
  if (isGiven(settings.ipaHost)) return { type: 'ipa', ipa: ipaStore(settings) }
  return undefined
}

function ldapStore(settings: Settings): LdapStoreConfig {
  const objectClasses = settings.iamLdapObjectClasses
  if (objectClasses.length === 0) throw missing('--iam-ldap-object-classes')
  return {
    url: urlOf(settings.iamLdapUrl, '--iam-ldap-url', ['ldap', 'ldaps']),
    bindDn: needed(settings.iamLdapBindDn, '--iam-ldap-bind-dn'),
    bindPassword: needed(settings.iamLdapBindPass, '--iam-ldap-bind-pass'),
    queryBase: needed(settings.iamLdapQueryBase, '--iam-ldap-query-base'),
    objectClasses,
    attributes: {
      access: needed(settings.iamLdapAccessAtr, '--iam-ldap-access-atr'),
      secret: needed(settings.iamLdapSecretAtr, '--iam-ldap-secret-atr'),
      role: needed(settings.iamLdapRoleAtr, '--iam-ldap-role-atr'),
      userId: needed(settings.iamLdapUserIdAtr, '--iam-ldap-user-id-atr'),
      groupId: needed(settings.iamLdapGroupIdAtr, '--iam-ldap-group-id-atr'),
      projectId: needed(settings.iamLdapProjectIdAtr, '--iam-ldap-project-id-atr'),
    },
    verifyTls: !settings.iamLdapTlsSkipVerify,
  }
}

function s3Store(settings: Settings): S3StoreConfig {
  return {
    endpoint: urlOf(settings.s3IamEndpoint, '--s3-iam-endpoint'),
    bucket: needed(settings.s3IamBucket, '--s3-iam-bucket'),
    access: needed(settings.s3IamAccess, '--s3-iam-access'),
    secret: needed(settings.s3IamSecret, '--s3-iam-secret'),
    region: settings.s3IamRegion,
    verifyTls: !settings.s3IamNoverify,
  }
}

function vaultStore(settings: Settings): VaultStoreConfig {
  const namespace = settings.iamVaultNamespace
  const storageNamespace = settings.iamVaultSecretStorageNamespace ?? namespace
  const clientCert = settings.iamVaultClientCert
  const clientCertKey = settings.iamVaultClientCertKey
  if (isGiven(clientCert) !== isGiven(clientCertKey)) {
    throw new ConfigError('--iam-vault-client_cert and --iam-vault-client_cert_key need each other')
  }
  return {
    endpoint: urlOf(settings.iamVaultEndpointUrl, '--iam-vault-endpoint-url'),
    storagePath: settings.iamVaultSecretStoragePath ?? '',
    storageNamespace,
    mountPath: settings.iamVaultMountPath ?? 'kv-v2',
    login: vaultLogin(settings, storageNamespace),
    serverCert: certificate(settings.iamVaultServerCert, '--iam-vault-server_cert'),
    clientCert: certificate(clientCert, '--iam-vault-client_cert'),
    clientCertKey: privateKey(clientCertKey, '--iam-vault-client_cert_key'),
  }
}

function vaultLogin(settings: Settings, storageNamespace: string | undefined): VaultLogin {
  const token = settings.iamVaultRootToken
  if (isGiven(token)) return { kind: 'token', token }
  const { iamVaultRoleId: roleId, iamVaultRoleSecret: roleSecret } = settings
  if (!isGiven(roleId) && !isGiven(roleSecret)) {
    throw missing('--iam-vault-role-id and --iam-vault-role-secret, or --iam-vault-root-token')
  }
  const namespace = settings.iamVaultAuthNamespace ?? settings.iamVaultNamespace
  // Vault's tokens are of the namespace they were made in.
  if (namespace !== storageNamespace) {
    throw new ConfigError(
      `an AppRole login in namespace "${namespace ?? ''}" cannot read accounts in "${storageNamespace ?? ''}": use one namespace, or --iam-vault-root-token`,
    )
  }
  return {
    kind: 'approle',
    mount: settings.iamVaultAuthMethod ?? 'approle',
    namespace,
    roleId: needed(roleId, '--iam-vault-role-id'),
    roleSecret: needed(roleSecret, '--iam-vault-role-secret'),
  }
}

function ipaStore(settings: Settings): IpaStoreConfig {
  return {
    host: urlOf(settings.ipaHost, '--ipa-host'),
    user: needed(settings.ipaUser, '--ipa-user'),
    password: needed(settings.ipaPassword, '--ipa-password'),
    vaultName: needed(settings.ipaVaultName, '--ipa-vault-name'),
    verifyTls: !settings.ipaInsecure,
  }
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== ''
}

function needed(value: string | undefined, flag: string): string {
  if (isGiven(value)) return value
  throw missing(flag)
}

/** The text is not quoted in the error: it may hold a password. */
function urlOf(
  value: string | undefined,
  flag: string,
  schemes: readonly [string, string] = ['http', 'https'],
): string {
  const url = needed(value, flag)
  if (URL.canParse(url) && schemes.includes(new URL(url).protocol.slice(0, -1))) return url
  throw new ConfigError(`${flag}: not an ${schemes.join(' or ')} URL`)
}

/** These settings hold the text itself, which is easily taken for the name of a file. */
function certificate(pem: string | undefined, flag: string): string | undefined {
  return checkPem(pem, flag, (text) => new X509Certificate(text))
}

function privateKey(pem: string | undefined, flag: string): string | undefined {
  return checkPem(pem, flag, (text) => createPrivateKey(text))
}

function checkPem(
  pem: string | undefined,
  flag: string,
  parse: (text: string) => unknown,
): string | undefined {
  if (!isGiven(pem)) return undefined
  try {
    parse(pem)
    return pem
  } catch {
    throw new ConfigError(`${flag}: not a PEM text`)
  }
}

function missing(flag: string): ConfigError {
  return new ConfigError(`account store: ${flag} is missing`)
}
