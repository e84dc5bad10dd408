import { describe, expect, test } from 'vitest'
import { accountDirectory, accountXml, admin, createAccount } from '../support/admin.ts'
import type { RawRequest } from '../support/fixture.ts'
import { expectGolden } from '../support/golden.ts'
import { foldedTree, misplaced, spanNamed } from '../support/span-tree.ts'
import { useTracedGateway } from '../support/traced.ts'

const at = useTracedGateway({
  flags: ['--iam-dir', accountDirectory(), '--debug', '--iam-debug', '--otel-depth', 'syscall'],
})
const golden = useTracedGateway({ flags: ['--iam-dir', accountDirectory()] })

const CANARIES = ['canary-one', 'canary-two', 'canary-three'] as const
const [ONE, TWO, THREE] = CANARIES
const changes = (secret: string): string =>
  `<MutableProps><Secret>${secret}</Secret></MutableProps>`
const account = (access: string, secret: string, role = 'user'): RawRequest => ({
  body: accountXml({ access, secret, role }),
})

test('secrets are in no trace, no log line and no error (trace contract 4)', async () => {
  const answers = [
    await admin(at, '/create-user', account('u1', ONE)),
    await admin(at, '/create-user', account('u1', ONE)),
    await admin(at, '/create-user', account('u2', TWO, 'king')),
    await admin(at, '/create-user', { body: `<Account><Secret>${TWO}</Secret>` }),
    await admin(at, '/update-user?access=u1', { body: changes(TWO) }),
    await admin(at, '/update-user?access=nobody', { body: changes(THREE) }),
    await admin(at, `/delete-user?access=nobody&secret=${THREE}`),
    await at.send('GET', '/', { credentials: { access: 'u1', secret: TWO } }),
  ]
  const list = await admin(at, '/list-users')
  expect(list.text).toContain(TWO)
  const spans = (await Promise.all([...answers, list].map((answer) => at.trace(answer)))).flat()
  await at.gateway.waitFor(/PATCH \| \/list-users/)
  const told = [
    ...answers.map(({ text, headers }) => text + JSON.stringify(headers)),
    JSON.stringify(spans, (_, value: unknown) => (typeof value === 'bigint' ? 0 : value)),
    JSON.stringify(spans.map(({ attributes }) => attributes.toObject())),
    at.gateway.stdout,
    at.gateway.stderr,
  ].join('\n')
  expect(CANARIES.filter((canary) => told.includes(canary))).toEqual([])
  // What was looked through is all there was.
  expect(told).toContain('Admin.CreateUser')
  expect(told).toContain('u1')
})

describe('the trace of each operation (trace contract 3)', () => {
  interface Kind {
    readonly operation: string
    readonly target: string
    readonly request?: RawRequest
  }
  const owner = { headers: { 'x-vgw-owner': 'made' } }
  const KINDS: readonly Kind[] = [
    { operation: 'CreateUser', target: '/create-user', request: account('made', 's') },
    {
      operation: 'UpdateUser',
      target: '/update-user?access=made',
      request: { body: changes('t') },
    },
    { operation: 'ListUsers', target: '/list-users' },
    { operation: 'CreateBucket', target: '/made/create', request: owner },
    { operation: 'ListBuckets', target: '/list-buckets' },
    {
      operation: 'ChangeBucketOwner',
      target: '/change-bucket-owner/?bucket=made&owner=made',
    },
    { operation: 'DeleteUser', target: '/delete-user?access=made' },
  ]

  test.each(KINDS)('$operation', async ({ operation, target, request = {} }) => {
    const answer = await admin(golden, target, request)
    const spans = await golden.trace(answer)
    expect(misplaced(spans)).toEqual([])
    expectGolden(
      `traces/admin${operation.replaceAll(/[A-Z]/g, '-$&').toLowerCase()}.txt`,
      `${foldedTree(spans)}\n`,
    )
    const root = spanNamed(spans, `Admin.${operation}`)
    expect(root.kind).toBe('SERVER')
    const attributes = root.attributes.toObject()
    expect(attributes).toMatchObject({ 's3.operation': operation, 'http.method': 'PATCH' })
    const isOfBucket = ['CreateBucket', 'ChangeBucketOwner'].includes(operation)
    expect(attributes['s3.bucket']).toBe(isOfBucket ? 'made' : undefined)
    expect(attributes['s3.key']).toBeUndefined()
  })

  test('a refusal says what it rests on', async () => {
    await createAccount(golden, { access: 'plain', secret: 's', role: 'user' })
    const credentials = { access: 'plain', secret: 's' }
    const spans = await golden.trace(await admin(golden, '/list-users', { credentials }))
    expect(spanNamed(spans, 'Auth.Access').attributes.toObject()).toMatchObject({
      'auth.decision': 'deny',
      'auth.rule': 'role',
      'error.type': 'XAdminAccessDenied',
    })
    expect(spans.map(({ name }) => name)).not.toContain('IAM.ListUsers')
  })

  test('an account that exists is no failure of its operation', async () => {
    const spans = await golden.trace(await admin(golden, '/create-user', account('plain', 's')))
    const create = spanNamed(spans, 'IAM.CreateUser')
    expect(create.attributes.toObject()).toMatchObject({
      'iam.backend': 'internal',
      'error.type': 'XAdminUserExists',
    })
    expect(create.parentSpanId).toBe(spanNamed(spans, 'Admin.CreateUser').spanId)
  })
})
