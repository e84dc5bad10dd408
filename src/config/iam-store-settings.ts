import { setting, toggle } from './setting.ts'
import { list, text } from './values.ts'

/** Account stores over a network; `--iam-dir` goes before them all, then LDAP, S3, Vault and FreeIPA. */
export const IAM_STORE_SETTINGS = {
  iamLdapUrl: word('iam-ldap-url', 'LDAP server of the accounts, ldap://host or ldaps://host'),
  iamLdapBindDn: word('iam-ldap-bind-dn', 'name that the gateway binds as'),
  iamLdapBindPass: secret('iam-ldap-bind-pass', 'its password'),
  iamLdapQueryBase: word('iam-ldap-query-base', 'where the accounts are, ou=iam,dc=example,dc=com'),
  iamLdapObjectClasses: setting({
    flag: 'iam-ldap-object-classes',
    env: 'VGW_IAM_LDAP_OBJECT_CLASSES',
    form: 'many',
    parse: list(text),
    default: [],
    help: 'object classes of an account, by commas',
  }),
  iamLdapAccessAtr: word('iam-ldap-access-atr', 'attribute of the access key'),
  iamLdapSecretAtr: word('iam-ldap-secret-atr', 'attribute of the secret key'),
  iamLdapRoleAtr: word('iam-ldap-role-atr', 'attribute of the role'),
  iamLdapUserIdAtr: word('iam-ldap-user-id-atr', 'attribute of the user id'),
  iamLdapGroupIdAtr: word('iam-ldap-group-id-atr', 'attribute of the group id'),
  iamLdapProjectIdAtr: word('iam-ldap-project-id-atr', 'attribute of the project id'),
  iamLdapTlsSkipVerify: toggle({
    flag: 'iam-ldap-tls-skip-verify',
    env: 'VGW_IAM_LDAP_TLS_SKIP_VERIFY',
    help: 'take any certificate of the LDAP server (unsafe)',
  }),
  iamVaultEndpointUrl: word('iam-vault-endpoint-url', 'HashiCorp Vault of the accounts'),
  iamVaultNamespace: word('iam-vault-namespace', 'its namespace'),
  iamVaultSecretStoragePath: word('iam-vault-secret-storage-path', 'path of the accounts'),
  iamVaultSecretStorageNamespace: word(
    'iam-vault-secret-storage-namespace',
    'namespace of the accounts, if not --iam-vault-namespace',
  ),
  iamVaultAuthMethod: word('iam-vault-auth-method', 'mount of the AppRole login (default approle)'),
  iamVaultAuthNamespace: word(
    'iam-vault-auth-namespace',
    'namespace of the login, if not --iam-vault-namespace',
  ),
  iamVaultMountPath: word('iam-vault-mount-path', 'mount of the KV v2 engine (default kv-v2)'),
  iamVaultRootToken: secret('iam-vault-root-token', 'token to use instead of a login'),
  iamVaultRoleId: secret('iam-vault-role-id', 'role id of the login'),
  iamVaultRoleSecret: secret('iam-vault-role-secret', 'secret id of the login'),
  iamVaultServerCert: word('iam-vault-server_cert', "PEM text of the server's certificate"),
  iamVaultClientCert: word('iam-vault-client_cert', "PEM text of the gateway's certificate"),
  iamVaultClientCertKey: secret('iam-vault-client_cert_key', 'PEM text of its key'),
  s3IamAccess: word('s3-iam-access', 'access key', 'VGW_S3_IAM_ACCESS_KEY'),
  s3IamSecret: secret('s3-iam-secret', 'secret key', 'VGW_S3_IAM_SECRET_KEY'),
  s3IamRegion: setting({
    flag: 's3-iam-region',
    env: 'VGW_S3_IAM_REGION',
    parse: text,
    default: 'us-east-1',
    help: 'region of the endpoint',
  }),
  s3IamBucket: word('s3-iam-bucket', "bucket of the accounts' object users.json"),
  s3IamEndpoint: word('s3-iam-endpoint', 'S3 endpoint of the accounts'),
  s3IamNoverify: toggle({
    flag: 's3-iam-noverify',
    env: 'VGW_S3_IAM_NO_VERIFY',
    help: 'take any certificate of the S3 endpoint (unsafe)',
  }),
  ipaHost: word('ipa-host', 'FreeIPA server of the accounts, https://ipa.example.com'),
  ipaVaultName: word('ipa-vault-name', "name of each user's vault with the secret key"),
  ipaUser: word('ipa-user', "user who may read users' vaults"),
  ipaPassword: secret('ipa-password', 'password of that user'),
  ipaInsecure: toggle({
    flag: 'ipa-insecure',
    env: 'VGW_IPA_INSECURE',
    help: 'take any certificate of the FreeIPA server (unsafe)',
  }),
}

function word(flag: string, help: string, env = variable(flag)) {
  return setting({ flag, env, parse: text, help })
}

function secret(flag: string, help: string, env = variable(flag)) {
  return setting({ flag, env, parse: text, help, secret: true })
}

/** `--iam-ldap-url` is VGW_IAM_LDAP_URL; a few of S3 alone are named otherwise. */
function variable(flag: string): string {
  return `VGW_${flag.toUpperCase().replaceAll('-', '_')}`
}
