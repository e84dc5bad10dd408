import { CreateBucketCommand, HeadBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { accountDirectory, accountXml, admin, createAccount } from '../support/admin.ts'
import { useGateway } from '../support/fixture.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { findTool } from '../support/tools.ts'
import { attributesOf, setAttribute } from '../support/tree.ts'

const iam = accountDirectory()
const at = useGateway({ flags: ['--iam-dir', iam] })

const errorOf = ({ status, code, message }: RawResponse): unknown[] => [status, code, message]
const usersOf = async (): Promise<string> => (await admin(at, '/list-users')).text
const MISSING = [404, 'XAdminInvalidArgument', 'User access key ID is missing.']
const ROLE = [
  400,
  'XAdminInvalidArgument',
  "User role has to be one of the following: 'user', 'admin', 'userplus'.",
]
const NOT_FOUND = [404, 'XAdminUserNotFound', 'No user exists with the provided access key ID.']
const MALFORMED = [
  400,
  'MalformedXML',
  'The XML you provided was not well-formed or did not validate against our published schema.',
]

beforeAll(async () => {
  await createAccount(at, { access: 'plain', secret: 'plain-secret', role: 'user' })
  await createAccount(at, { access: 'boss', secret: 'boss-secret', role: 'admin' })
})

describe('create-user (contract 5.4)', () => {
  test('201, no body, the account in users.json as VersityGW writes it', async () => {
    const body = accountXml({
      access: 'carol',
      secret: 'carolsecret',
      role: 'userplus',
      userId: 5,
      groupId: 6,
      projectId: 7,
    })
    const { status, text, header } = await admin(at, '/create-user', { body })
    expect([status, text, header('content-length'), header('content-type')]).toEqual([
      201,
      '',
      '0',
      undefined,
    ])
    const { accessAccounts } = JSON.parse(readFileSync(join(iam, 'users.json'), 'utf8')) as {
      accessAccounts: Record<string, unknown>
    }
    expect(accessAccounts['carol']).toEqual({
      access: 'carol',
      secret: 'carolsecret',
      role: 'userplus',
      userID: 5,
      groupID: 6,
      projectID: 7,
    })
    const s3 = at.client({
      credentials: { accessKeyId: 'carol', secretAccessKey: 'carolsecret' },
    })
    await s3.send(new CreateBucketCommand({ Bucket: 'made-by-carol' }))
    await s3.send(new PutObjectCommand({ Bucket: 'made-by-carol', Key: 'k', Body: 'x' }))
  })

  test('an access key that exists, and that of root: 409 XAdminUserExists', async () => {
    for (const access of ['plain', at.credentials.access]) {
      const body = accountXml({ access, secret: 's', role: 'user' })
      expect(errorOf(await admin(at, '/create-user', { body }))).toEqual([
        409,
        'XAdminUserExists',
        'A user with the provided access key ID already exists.',
      ])
    }
  })

  test.each(['king', '', 'User', ' user '])(
    'the role "%s": XAdminInvalidArgument',
    async (role) => {
      const body = accountXml({ access: 'r1', secret: 's', role })
      expect(errorOf(await admin(at, '/create-user', { body }))).toEqual(ROLE)
    },
  )

  test.each([
    ['nothing', ''],
    ['no end', '<Acc'],
    ['another root', '<User><Access>m1</Access><Secret>s</Secret><Role>user</Role></User>'],
    ['something behind it', `${accountXml({ access: 'm1', secret: 's', role: 'user' })}junk`],
    [
      'an id that is no number',
      accountXml({ access: 'm1', secret: 's', role: 'user', userId: 'x' }),
    ],
    [
      'an entity',
      `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>${accountXml({ access: 'm1', secret: '&x;', role: 'user' })}`,
    ],
  ])('malformed: %s', async (_, body) => {
    expect(errorOf(await admin(at, '/create-user', { body }))).toEqual(MALFORMED)
  })

  test('fields that are missing', async () => {
    const role = '<Role>user</Role>'
    const without = async (fields: string): Promise<unknown[]> =>
      errorOf(await admin(at, '/create-user', { body: `<Account>${fields}</Account>` }))
    expect(await without('')).toEqual(ROLE)
    expect(await without(`<Secret>s</Secret>${role}`)).toEqual(MISSING)
    expect(await without(`<Access></Access><Secret>s</Secret>${role}`)).toEqual(MISSING)
    // Whoever knew the name of an account without a secret could sign as it.
    for (const secret of ['', '<Secret></Secret>']) {
      expect(await without(`<Access>m2</Access>${secret}${role}`)).toEqual([
        400,
        'XAdminInvalidArgument',
        'User secret access key is missing.',
      ])
    }
    expect(await usersOf()).not.toContain('m2')
  })

  test.each(['a/b', 'a b', 'a,b', 'a\nb', 'é'])(
    'an access key that no request could be signed with: %j',
    async (access) => {
      const body = accountXml({ access, secret: 's', role: 'user' })
      const { status, code } = await admin(at, '/create-user', { body })
      expect([status, code]).toEqual([400, 'XAdminInvalidArgument'])
    },
  )

  test.each(['-1', '4294967295', '99999999999'])('an id out of range: %s', async (userId) => {
    const body = accountXml({ access: 'm3', secret: 's', role: 'user', userId })
    expect(errorOf(await admin(at, '/create-user', { body }))).toEqual([
      400,
      'XAdminInvalidArgument',
      'UserID has to be a number from 0 to 4294967294.',
    ])
  })

  test('a body that is no account for its size alone', async () => {
    const body = accountXml({ access: 'm4', secret: 's'.repeat(3_000_000), role: 'user' })
    const answer = await admin(at, '/create-user', { body })
    expect([answer.status, answer.code]).toEqual([400, 'MaxMessageLengthExceeded'])
  })

  test('what a secret may hold comes back as it was', async () => {
    const secret = 'a+/=&lt;&amp;"\' é'
    await createAccount(at, { access: 'odd', secret, role: 'user' })
    const credentials = { access: 'odd', secret: 'a+/=<&"\' é' }
    expect((await at.send('GET', '/', { credentials })).status).toBe(200)
  })

  test('a new account is known at once, with its ids (contract 9.2, 21)', async () => {
    const body = accountXml({ access: 'fresh', secret: 'fresh-s', role: 'user', userId: 77 })
    const unknown = { credentials: { access: 'fresh', secret: 'fresh-s' } }
    expect((await at.send('GET', '/', unknown)).code).toBe('InvalidAccessKeyId')
    await admin(at, '/create-user', { body })
    expect((await at.send('GET', '/', unknown)).status).toBe(200)
    expect(await usersOf()).toContain(
      '<Access>fresh</Access><Secret>fresh-s</Secret><Role>user</Role><UserID>77</UserID>',
    )
  })
})

describe('update-user (contract 5.4)', () => {
  test('what is omitted stays; an empty role does too', async () => {
    await createAccount(at, { access: 'dave', secret: 'd1', role: 'user', userId: 1, groupId: 2 })
    const update = (fields: string): Promise<RawResponse> =>
      admin(at, '/update-user?access=dave', { body: `<MutableProps>${fields}</MutableProps>` })
    const { status, text } = await update('<Secret>d2</Secret><Role></Role>')
    expect([status, text]).toEqual([200, ''])
    expect(await usersOf()).toContain(
      '<Access>dave</Access><Secret>d2</Secret><Role>user</Role><UserID>1</UserID><GroupID>2</GroupID>',
    )
    await update('<Role>admin</Role><UserID>0</UserID><ProjectID>9</ProjectID>')
    expect(await usersOf()).toContain(
      '<Access>dave</Access><Secret>d2</Secret><Role>admin</Role><UserID>0</UserID><GroupID>2</GroupID><ProjectID>9</ProjectID>',
    )
    expect((await update('')).status).toBe(200)
    const credentials = { access: 'dave', secret: 'd1' }
    expect((await at.send('GET', '/', { credentials })).code).toBe('SignatureDoesNotMatch')
  })

  test('errors', async () => {
    const update = async (query: string, body: string): Promise<unknown[]> =>
      errorOf(await admin(at, `/update-user${query}`, { body }))
    const secret = '<MutableProps><Secret>x</Secret></MutableProps>'
    expect(await update('', secret)).toEqual(MISSING)
    expect(await update('?access=', secret)).toEqual(MISSING)
    expect(await update('?access=nobody', secret)).toEqual(NOT_FOUND)
    expect(await update(`?access=${at.credentials.access}`, secret)).toEqual(NOT_FOUND)
    expect(await update('?access=plain', '<MutableProps><Role>x</Role></MutableProps>')).toEqual(
      ROLE,
    )
    expect(await update('?access=plain', '<Mut')).toEqual(MALFORMED)
    expect(await update('?access=plain', '')).toEqual(MALFORMED)
    const empty = await update('?access=plain', '<MutableProps><Secret></Secret></MutableProps>')
    expect(empty).toEqual([400, 'XAdminInvalidArgument', 'User secret access key is missing.'])
  })
})

describe('delete-user (contract 5.4)', () => {
  test('200, also for who is not there (contract 9.1, 9)', async () => {
    await createAccount(at, { access: 'gone', secret: 'gone-s', role: 'user' })
    for (let i = 0; i < 2; i++) {
      const { status, text } = await admin(at, '/delete-user?access=gone')
      expect([status, text]).toEqual([200, ''])
    }
    const credentials = { access: 'gone', secret: 'gone-s' }
    expect((await at.send('GET', '/', { credentials })).code).toBe('InvalidAccessKeyId')
  })

  test('nobody named', async () => {
    expect(errorOf(await admin(at, '/delete-user'))).toEqual(MISSING)
  })

  test('root stays', async () => {
    expect((await admin(at, `/delete-user?access=${at.credentials.access}`)).status).toBe(200)
    expect((await admin(at, '/list-users')).status).toBe(200)
  })
})

test('list-users: all but root, in order, with their secrets (contract 5.4, 9.1)', async () => {
  const { status, text, elements, header } = await admin(at, '/list-users')
  expect([status, header('content-type')]).toEqual([200, 'application/xml'])
  expect(text).toMatch(
    /^<\?xml version="1.0" encoding="UTF-8"\?>\n<ListUserAccountsResult><Accounts>/,
  )
  expect(text).toContain(
    '<Accounts><Access>boss</Access><Secret>boss-secret</Secret><Role>admin</Role><UserID>0</UserID><GroupID>0</GroupID><ProjectID>0</ProjectID></Accounts>',
  )
  expect(elements('Access')).toEqual(elements('Access').toSorted())
  expect(elements('Access')).not.toContain(at.credentials.access)
})

describe('buckets of others (contract 5.4)', () => {
  const owned = (owner: string, headers: Record<string, string> = {}) => ({
    headers: { 'x-vgw-owner': owner, ...headers },
  })

  test('create: 201, owned by whom the header names', async () => {
    const { status, text, header } = await admin(at, '/for-plain/create', owned('plain'))
    expect([status, text, header('location')]).toEqual([201, '', undefined])
    const credentials = { accessKeyId: 'plain', secretAccessKey: 'plain-secret' }
    await at.client({ credentials }).send(new HeadBucketCommand({ Bucket: 'for-plain' }))
    expect((await admin(at, '/for-root/create', owned(at.credentials.access))).status).toBe(201)
  })

  test('create: what is wrong', async () => {
    const noOwner = [
      400,
      'XAdminInvalidRequest',
      'The x-vgw-owner header specifying the new bucket owner access key id is either missing or empty',
    ]
    expect(errorOf(await admin(at, '/no-owner/create'))).toEqual(noOwner)
    expect(errorOf(await admin(at, '/no-owner/create', owned('')))).toEqual(noOwner)
    expect(errorOf(await admin(at, '/no-owner/create', owned('nobody')))).toEqual(NOT_FOUND)
    expect(existsSync(at.path('no-owner'))).toBe(false)
    expect((await admin(at, '/B/create', owned('plain'))).code).toBe('InvalidBucketName')
    await admin(at, '/taken/create', owned('plain'))
    expect((await admin(at, '/taken/create', owned('plain'))).code).toBe('BucketAlreadyOwnedByYou')
    expect((await admin(at, '/taken/create', owned('boss'))).code).toBe('BucketAlreadyExists')
    expect((await admin(at, '/bad/create', { ...owned('plain'), body: '<Cre' })).code).toBe(
      'MalformedXML',
    )
    const acl = await admin(at, '/bad/create', owned('plain', { 'x-amz-acl': 'public-read' }))
    expect(acl.code).toBe('InvalidBucketAclWithObjectOwnership')
  })

  test('a bucket may be called like an operation', async () => {
    for (const name of ['list-users', 'create-user', 'change-bucket-owner']) {
      expect((await admin(at, `/${name}/create`, owned('plain'))).status).toBe(201)
      expect((await at.send('PUT', `/${name}/create`, { body: 'x' })).status).toBe(200)
      expect((await at.send('GET', `/${name}`)).element('Key')).toBe('create')
      const preflight = await at.send('OPTIONS', `/${name}`, {
        sign: false,
        headers: { Origin: 'http://x', 'Access-Control-Request-Method': 'GET' },
      })
      expect(errorOf(preflight)).toEqual([
        403,
        'AccessForbidden',
        'CORSResponse: CORS is not enabled for this bucket.',
      ])
    }
    expect((await admin(at, '/list-users')).text).toContain('<ListUserAccountsResult>')
  })

  test.skipIf(findTool('getfattr') === undefined)(
    'change-bucket-owner: the ACL starts anew, the policy goes',
    async () => {
      await admin(at, '/handed-on/create', owned('boss'))
      const old = `{"Owner":"boss","Grantees":[{"Permission":"READ","Access":"all-users","Type":"Group"}]}`
      setAttribute(at.path('handed-on'), 'acl', old)
      setAttribute(at.path('handed-on'), 'policy', '{"Statement":[]}')
      const change = '/change-bucket-owner/?bucket=handed-on&owner=plain'
      const { status, text } = await admin(at, change)
      expect([status, text]).toEqual([200, ''])
      expect(attributesOf(at.path('handed-on'))).toEqual({
        acl: '{"Owner":"plain","Grantees":[{"Permission":"FULL_CONTROL","Access":"plain","Type":"CanonicalUser"}]}',
        ownership: 'BucketOwnerEnforced',
      })
      // Without the slash too.
      expect((await admin(at, '/change-bucket-owner?bucket=handed-on&owner=boss')).status).toBe(200)
    },
  )

  test('change-bucket-owner: what is wrong', async () => {
    const change = async (query: string): Promise<unknown[]> =>
      errorOf(await admin(at, `/change-bucket-owner/${query}`))
    const noBucket = [404, 'NoSuchBucket', 'The specified bucket does not exist.']
    expect(await change('?bucket=for-plain&owner=nobody')).toEqual(NOT_FOUND)
    expect(await change('?bucket=for-plain&owner=')).toEqual(NOT_FOUND)
    expect(await change('?bucket=nope&owner=nobody')).toEqual(NOT_FOUND)
    expect(await change('?bucket=nope&owner=plain')).toEqual(noBucket)
    expect(await change('')).toEqual(noBucket)
  })

  test.each(['..', '.', '.sgwtmp', 'for-plain%2F..', '%2Fetc'])(
    'change-bucket-owner writes no attribute outside of buckets: %s',
    async (bucket) => {
      const { status, code } = await admin(at, `/change-bucket-owner/?bucket=${bucket}&owner=plain`)
      expect([status, code]).toEqual([404, 'NoSuchBucket'])
    },
  )

  test('list-buckets: every bucket and its owner, none for one made by hand', async () => {
    mkdirSync(at.path('by-hand'))
    const { status, text } = await admin(at, '/list-buckets')
    expect(status).toBe(200)
    expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<ListBucketsResult><Buckets>/)
    expect(text).toContain('<Buckets><Name>by-hand</Name><Owner></Owner></Buckets>')
    expect(text).toContain('<Buckets><Name>for-plain</Name><Owner>plain</Owner></Buckets>')
  })
})
