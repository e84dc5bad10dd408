import { Client } from 'ldapts'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LdapStoreConfig } from '../../src/auth/iam/store-config.ts'
import { freePort } from './gateway.ts'

const SUFFIX = 'dc=example,dc=org'
const BIND_DN = `cn=admin,${SUFFIX}`
const BIND_PASSWORD = 'directory manager'

/** A signal that stops is sent at once and obeyed a little later, thread by thread: see proc_pid_stat(5). */
async function untilStopped(pid: number | undefined): Promise<void> {
  const stopped = async (): Promise<boolean> => {
    const tasks = await readdir(`/proc/${pid}/task`)
    const stats = await Promise.all(
      tasks.map((task) => readFile(`/proc/${pid}/task/${task}/stat`, 'utf8')),
    )
    return stats.every((stat) => stat.includes(') T '))
  }
  while (!(await stopped())) await sleep(1)
}

/** OpenLDAP's server as a child process with a database of its own. */
export interface Slapd extends AsyncDisposable {
  readonly port: number
  /** For a store on it. */
  readonly config: LdapStoreConfig
  /** Adds an entry below the suffix, or below `ou=iam` of it. */
  add(rdn: string, attributes: Readonly<Record<string, string | string[]>>): Promise<void>
  /** All there is, as names. */
  names(): Promise<readonly string[]>
  start(): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
}

export interface SlapdOptions {
  /** PEM texts; it then speaks LDAPS. */
  readonly tls?: { readonly key: string; readonly cert: string }
}

export async function startSlapd(program: string, options: SlapdOptions = {}): Promise<Slapd> {
  const dir = await mkdtemp(join(tmpdir(), 'vgw-slapd-'))
  await mkdir(join(dir, 'db'))
  await writeFile(join(dir, 'slapd.conf'), configuration(dir, options))
  if (options.tls !== undefined) {
    await writeFile(join(dir, 'key.pem'), options.tls.key)
    await writeFile(join(dir, 'cert.pem'), options.tls.cert)
  }
  const port = await freePort()
  const url = `ldap${options.tls === undefined ? '' : 's'}://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let log = ''
  const slapd: Slapd = {
    port,
    config: {
      url,
      bindDn: BIND_DN,
      bindPassword: BIND_PASSWORD,
      queryBase: `ou=iam,${SUFFIX}`,
      objectClasses: ['top', 'gatewayAccount'],
      attributes: {
        access: 'uid',
        secret: 'gatewaySecret',
        role: 'gatewayRole',
        userId: 'gatewayUserId',
        groupId: 'gatewayGroupId',
        projectId: 'gatewayProjectId',
      },
      verifyTls: false,
    },
    add: (rdn, attributes) =>
      asAdmin(url, (client) => client.add(`${rdn},${SUFFIX}`, { ...attributes })),
    names: () =>
      asAdmin(url, async (client) => {
        const { searchEntries } = await client.search(SUFFIX, { scope: 'sub', attributes: ['1.1'] })
        return searchEntries.map((entry) => entry.dn)
      }),
    async start() {
      // -d keeps it in the foreground.
      const args = ['-d', '256', '-f', join(dir, 'slapd.conf'), '-h', url]
      child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
      child.stderr
        ?.setEncoding('utf8')
        .on('data', (text: string) => (log = (log + text).slice(-2000)))
      const ended = once(child, 'exit').then(() => {
        throw new Error(`slapd does not run: ${log}`)
      })
      await Promise.race([untilItAnswers(url), ended])
      ended.catch(() => undefined)
    },
    async kill(signal) {
      child?.kill(signal)
      if (signal === 'SIGCONT' || child === undefined) return
      if (signal === 'SIGSTOP') return untilStopped(child.pid)
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
    async [Symbol.asyncDispose]() {
      await slapd.kill('SIGKILL')
      await rm(dir, { recursive: true, force: true })
    },
  }
  process.once('exit', () => child?.kill('SIGKILL'))
  await slapd.start()
  await asAdmin(url, async (client) => {
    await client.add(SUFFIX, { objectClass: ['dcObject', 'organization'], o: 'Example' })
    await client.add(`ou=iam,${SUFFIX}`, { objectClass: 'organizationalUnit' })
  })
  return slapd
}

function configuration(dir: string, { tls }: SlapdOptions): string {
  const attributes = ['Secret', 'Role', 'UserId', 'GroupId', 'ProjectId']
  const definitions = attributes.map(
    (name, i) =>
      `attributetype ( 1.3.6.1.4.1.4203.666.9999.1.${i + 1} NAME 'gateway${name}' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )`,
  )
  return [
    'include /etc/ldap/schema/core.schema',
    ...definitions,
    `objectclass ( 1.3.6.1.4.1.4203.666.9999.2.1 NAME 'gatewayAccount' SUP top STRUCTURAL MUST uid MAY ( ${attributes.map((name) => `gateway${name}`).join(' $ ')} ) )`,
    'moduleload back_mdb',
    ...(tls === undefined
      ? []
      : [
          `TLSCertificateFile ${join(dir, 'cert.pem')}`,
          `TLSCertificateKeyFile ${join(dir, 'key.pem')}`,
        ]),
    'database mdb',
    `suffix "${SUFFIX}"`,
    `rootdn "${BIND_DN}"`,
    `rootpw "${BIND_PASSWORD}"`,
    `directory ${join(dir, 'db')}`,
    '',
  ].join('\n')
}

async function asAdmin<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const tls = url.startsWith('ldaps') ? { tlsOptions: { rejectUnauthorized: false } } : {}
  const client = new Client({ url, timeout: 10_000, connectTimeout: 10_000, ...tls })
  try {
    await client.bind(BIND_DN, BIND_PASSWORD)
    return await work(client)
  } finally {
    await client.unbind()
  }
}

async function untilItAnswers(url: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await asAdmin(url, () => Promise.resolve())
      return
    } catch (error) {
      if (attempt === 500) throw error
      await sleep(20)
    }
  }
}

/** The settings by which a gateway finds accounts in it, but for its URL. */
export function ldapEnvironment(config: LdapStoreConfig): Record<string, string> {
  return {
    VGW_IAM_LDAP_BIND_DN: config.bindDn,
    VGW_IAM_LDAP_BIND_PASS: config.bindPassword,
    VGW_IAM_LDAP_QUERY_BASE: config.queryBase,
    VGW_IAM_LDAP_OBJECT_CLASSES: config.objectClasses.join(','),
    VGW_IAM_LDAP_ACCESS_ATR: config.attributes.access,
    VGW_IAM_LDAP_SECRET_ATR: config.attributes.secret,
    VGW_IAM_LDAP_ROLE_ATR: config.attributes.role,
    VGW_IAM_LDAP_USER_ID_ATR: config.attributes.userId,
    VGW_IAM_LDAP_GROUP_ID_ATR: config.attributes.groupId,
    VGW_IAM_LDAP_PROJECT_ID_ATR: config.attributes.projectId,
  }
}
