import { describe, expect, test } from 'vitest'
import { loadConfig } from '../config.ts'

const ROOT = { ROOT_ACCESS_KEY: 'root', ROOT_SECRET_KEY: 'root-secret' }

async function remoteOf(
  line: string,
  env: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const command = await loadConfig([...line.split(' ').filter(Boolean), 'posix', '/d'], {
    ...ROOT,
    ...env,
  })
  return command.kind === 'serve' ? command.config.iam.remote : command.kind
}

const LDAP = {
  VGW_IAM_LDAP_URL: 'ldaps://ldap.example.com',
  VGW_IAM_LDAP_BIND_DN: 'cn=admin,dc=example,dc=com',
  VGW_IAM_LDAP_BIND_PASS: 'p',
  VGW_IAM_LDAP_QUERY_BASE: 'ou=iam,dc=example,dc=com',
  VGW_IAM_LDAP_OBJECT_CLASSES: 'top,person',
  VGW_IAM_LDAP_ACCESS_ATR: 'uid',
  VGW_IAM_LDAP_SECRET_ATR: 's',
  VGW_IAM_LDAP_ROLE_ATR: 'r',
  VGW_IAM_LDAP_USER_ID_ATR: 'u',
  VGW_IAM_LDAP_GROUP_ID_ATR: 'g',
  VGW_IAM_LDAP_PROJECT_ID_ATR: 'p',
}
const S3 = {
  VGW_S3_IAM_ENDPOINT: 'https://s3.example.com',
  VGW_S3_IAM_BUCKET: 'iam',
  VGW_S3_IAM_ACCESS_KEY: 'a',
  VGW_S3_IAM_SECRET_KEY: 's',
}
const VAULT = {
  VGW_IAM_VAULT_ENDPOINT_URL: 'https://vault.example.com:8200',
  VGW_IAM_VAULT_ROLE_ID: 'r',
  VGW_IAM_VAULT_ROLE_SECRET: 's',
}
const IPA = {
  VGW_IPA_HOST: 'https://ipa.example.com',
  VGW_IPA_USER: 'u',
  VGW_IPA_PASSWORD: 'p',
  VGW_IPA_VAULT_NAME: 'v',
}

describe('contract 5.1: the first configured wins: --iam-dir > LDAP > S3 > Vault > IPA', () => {
  test.each([
    ['ldap', { ...LDAP, ...S3, ...VAULT, ...IPA }],
    ['s3', { ...S3, ...VAULT, ...IPA }],
    ['vault', { ...VAULT, ...IPA }],
    ['ipa', IPA],
  ])('%s', async (type, env) => {
    expect(await remoteOf('', env)).toMatchObject({ type })
    expect(await remoteOf('--iam-dir /iam', env)).toBeUndefined()
  })

  test('none', async () => {
    expect(await remoteOf('')).toBeUndefined()
    expect(await remoteOf('--ipa-vault-name x --s3-iam-access y')).toBeUndefined()
  })
})

describe('contract 1.2: flags, variables and defaults', () => {
  test('LDAP', async () => {
    const attributes = { access: 'uid', secret: 's', role: 'r' }
    expect(await remoteOf('', LDAP)).toMatchObject({
      ldap: {
        url: LDAP.VGW_IAM_LDAP_URL,
        objectClasses: ['top', 'person'],
        attributes,
        verifyTls: true,
      },
    })
    const line = '--iam-ldap-tls-skip-verify --iam-ldap-object-classes a --iam-ldap-access-atr cn'
    expect(await remoteOf(line, LDAP)).toMatchObject({
      ldap: { objectClasses: ['a'], attributes: { access: 'cn' }, verifyTls: false },
    })
  })

  test('S3', async () => {
    expect(await remoteOf('', S3)).toMatchObject({ s3: { region: 'us-east-1', verifyTls: true } })
    expect(await remoteOf('--s3-iam-noverify --s3-iam-region eu', S3)).toMatchObject({
      s3: { region: 'eu', verifyTls: false },
    })
  })

  test('Vault', async () => {
    expect(await remoteOf('', VAULT)).toMatchObject({
      vault: {
        storagePath: '',
        storageNamespace: undefined,
        mountPath: 'kv-v2',
        login: { kind: 'approle', mount: 'approle', namespace: undefined },
      },
    })
    expect(
      await remoteOf('--iam-vault-namespace n --iam-vault-auth-method m', VAULT),
    ).toMatchObject({
      vault: { storageNamespace: 'n', login: { mount: 'm', namespace: 'n' } },
    })
    const line = '--iam-vault-root-token t --iam-vault-auth-namespace a --iam-vault-namespace b'
    expect(await remoteOf(line, VAULT)).toMatchObject({
      vault: { storageNamespace: 'b', login: { kind: 'token', token: 't' } },
    })
  })

  test('FreeIPA', async () => {
    expect(await remoteOf('', IPA)).toMatchObject({ ipa: { verifyTls: true } })
    expect(await remoteOf('--ipa-insecure', IPA)).toMatchObject({ ipa: { verifyTls: false } })
  })
})

describe('what is told by half is refused', () => {
  test.each(Object.keys(LDAP).slice(1))('LDAP without %s', async (name) => {
    const flag = name.replace('VGW_', '--').replaceAll('_', '-').toLowerCase()
    await expect(remoteOf('', { ...LDAP, [name]: '' })).rejects.toThrow(
      `account store: ${flag} is missing`,
    )
  })

  test.each([
    ['--s3-iam-bucket b', {}, 'account store: --s3-iam-endpoint is missing'],
    ['--s3-iam-endpoint http://s3', {}, 'account store: --s3-iam-bucket is missing'],
    ['', { ...S3, VGW_S3_IAM_SECRET_KEY: '' }, 'account store: --s3-iam-secret is missing'],
    [
      '',
      { ...VAULT, VGW_IAM_VAULT_ROLE_SECRET: '' },
      'account store: --iam-vault-role-secret is missing',
    ],
    [
      '--iam-vault-endpoint-url http://v',
      {},
      /role-id and --iam-vault-role-secret, or --iam-vault-root-token/,
    ],
    ['--iam-vault-auth-namespace other', VAULT, /in namespace "other" cannot read accounts in ""/],
    ['--iam-vault-client_cert x', VAULT, /need each other/],
    ['--iam-vault-server_cert /etc/ca.pem', VAULT, '--iam-vault-server_cert: not a PEM text'],
    ['', { ...IPA, VGW_IPA_VAULT_NAME: '' }, 'account store: --ipa-vault-name is missing'],
    ['--ipa-host ipa.example.com', IPA, '--ipa-host: not an http or https URL'],
    ['--iam-ldap-url http://ldap', LDAP, '--iam-ldap-url: not an ldap or ldaps URL'],
  ])('%s', async (line, env, message) => {
    await expect(remoteOf(line, env)).rejects.toThrow(message)
  })
})
