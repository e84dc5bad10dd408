import { describe, expect, test } from 'vitest'
import { accountDirectory } from '../support/admin.ts'
import { bin, startGateway } from '../support/gateway.ts'
import { expectGolden, readGolden } from '../support/golden.ts'
import type { Credentials } from '../support/sigv4.ts'
import { run } from '../support/tools.ts'
import { startVersitygw, versitygw } from '../support/versitygw.ts'

/**
 * One transcript, recorded from VersityGW's tool talking to VersityGW (`UPDATE_GOLDEN=1` with VERSITYGW set), which every
 * pair of a tool and a gateway has to repeat byte for byte: what it prints, what it says on standard error but for the
 * time, and its exit code (contract 1.4).
 */
const SCRIPT: readonly (readonly string[])[] = [
  ['list-users'],
  ['list-buckets'],
  ['create-user', '-a', 'u1', '-s', 'secret one', '-r', 'user'],
  [
    'create-user',
    '--access',
    'averyveryverylongaccesskeyid',
    '--secret',
    's2',
    '--role',
    'userplus',
  ],
  ['create-user', '-a', 'u3', '-s', 's3', '-r', 'admin', '-ui', '5', '-gi', '6', '-pi', '7'],
  ['create-user', '-a', 'u1', '-s', 's', '-r', 'user'],
  ['create-user', '-a', 'u4', '-s', 's', '-r', 'king'],
  ['create-user', '-a', 'u4', '-s', 's'],
  ['create-user', '-s', 's', '-r', 'user'],
  ['list-users'],
  ['update-user', '-a', 'u1', '-s', 'new<&>secret'],
  ['update-user', '-a', 'u1', '--role', 'userplus', '--user-id', '9', '--project-id=11'],
  ['update-user', '-a', 'u3', '-ui', '0'],
  ['update-user', '-a', 'u3'],
  ['update-user', '-a', 'u3', '-r', 'king'],
  ['update-user', '-a', 'a b&c=d/e', '-s', 'x'],
  ['update-user'],
  ['list-users'],
  ['delete-user', '-a', 'nobody'],
  ['delete-user', '--access=u3'],
  ['delete-user'],
  ['create-bucket', '-o', 'u1', '--bucket', 'one'],
  [
    'create-bucket',
    '--owner',
    'u1',
    '--bucket',
    'a-bucket-with-a-long-name',
    '--object-ownership',
    'ObjectWriter',
    '--acl',
    'public-read',
  ],
  [
    'create-bucket',
    '--owner',
    'u1',
    '--bucket',
    'tags',
    '--create-bucket-configuration',
    'Tags=[{Key=a,Value=b},{Key=c,Value=d e}]',
  ],
  [
    'create-bucket',
    '--owner',
    'u1',
    '--bucket',
    'json',
    '--create-bucket-configuration',
    '{"Tags":[{"Key":"a","Value":"b"}]}',
  ],
  [
    'create-bucket',
    '--owner',
    'u1',
    '--bucket',
    'none',
    '--create-bucket-configuration',
    'LocationConstraint=us-west-1',
  ],
  ['create-bucket', '--owner', 'u1', '--bucket', 'none', '--create-bucket-configuration', 'Foo=x'],
  [
    'create-bucket',
    '--owner',
    'u1',
    '--bucket',
    'none',
    '--create-bucket-configuration',
    'Tags=[{Key=a',
  ],
  ['create-bucket', '--owner', 'u1', '--bucket', 'none', '--acl', 'everybody'],
  ['create-bucket', '--owner', 'u1', '--bucket', 'none', '--acl', 'public-read'],
  ['create-bucket', '--owner', 'u1', '--bucket', 'one'],
  ['create-bucket', '--owner', 'averyveryverylongaccesskeyid', '--bucket', 'one'],
  ['create-bucket', '--owner', 'nobody', '--bucket', 'none'],
  ['create-bucket', '--owner', 'u1'],
  ['create-bucket', '--bucket', 'none'],
  ['list-buckets'],
  ['change-bucket-owner', '-b', 'one', '-o', 'averyveryverylongaccesskeyid'],
  ['change-bucket-owner', '--bucket', 'one', '--owner', 'nobody'],
  ['change-bucket-owner', '--bucket', 'none', '--owner', 'u1'],
  ['change-bucket-owner', '--bucket', 'one'],
  ['list-buckets'],
]

interface Target {
  readonly endpoint: string
  readonly credentials: Credentials
}

type Tool = (args: readonly string[], env: Record<string, string>) => ReturnType<typeof run>

const ours: Tool = (args, env) =>
  run(process.execPath, [bin('versitygw-ts'), 'admin', ...args], { env, check: false })
const theirs: Tool = (args, env) => run(versitygw ?? '', ['admin', ...args], { env, check: false })

async function transcript(tool: Tool, { endpoint, credentials }: Target): Promise<string> {
  const env = {
    ADMIN_ENDPOINT_URL: endpoint,
    ADMIN_ACCESS_KEY_ID: credentials.access,
    ADMIN_SECRET_ACCESS_KEY: credentials.secret,
  }
  const parts: string[] = []
  const record = async (args: readonly string[], changed: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await tool(args, { ...env, ...changed })
    // VersityGW's prints its help where flags are missing; ours says that in one line.
    const printed = code === 0 ? stdout : ''
    const said = stderr.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm, '{date} ')
    parts.push(`$ admin ${args.join(' ')}\n${printed}${said}exit ${code}\n`)
  }
  for (const args of SCRIPT) await record(args)
  await record(['list-users'], { ADMIN_SECRET_ACCESS_KEY: 'wrong' })
  await record(['list-users'], { ADMIN_ACCESS_KEY_ID: 'nobody' })
  await record(['list-users'], { ADMIN_REGION: 'eu-west-1' })
  await record(['list-users'], {
    ADMIN_ACCESS_KEY_ID: 'u1',
    ADMIN_SECRET_ACCESS_KEY: 'new<&>secret',
  })
  await record(['list-users'], { ADMIN_ACCESS_KEY_ID: '', ADMIN_SECRET_ACCESS_KEY: '' })
  return parts.join('\n')
}

const GOLDEN = 'admin/transcript.txt'

/** Only VersityGW's own pair may record. */
function compare(text: string): void {
  expect(text).toBe(readGolden(GOLDEN))
}

const iam = { theirs: accountDirectory(), ours: accountDirectory() }

describe.skipIf(versitygw === undefined)('beside VersityGW', () => {
  // The first, since it is the one that is recorded.
  test("VersityGW's tool, VersityGW", async () => {
    await using gateway = await startVersitygw()
    expectGolden(GOLDEN, await transcript(theirs, gateway))
  })

  test('our tool, VersityGW', async () => {
    await using gateway = await startVersitygw()
    compare(await transcript(ours, gateway))
  })

  test("VersityGW's tool, our gateway", async () => {
    await using gateway = await startGateway({ flags: ['--iam-dir', iam.theirs] })
    const { endpoint, access, secret } = gateway
    compare(await transcript(theirs, { endpoint, credentials: { access, secret } }))
  })
})

test('our tool, our gateway', async () => {
  await using gateway = await startGateway({ flags: ['--iam-dir', iam.ours] })
  const { endpoint, access, secret } = gateway
  compare(await transcript(ours, { endpoint, credentials: { access, secret } }))
})
