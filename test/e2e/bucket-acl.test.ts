import {
  CreateBucketCommand,
  DeleteBucketOwnershipControlsCommand,
  GetBucketAclCommand,
  GetBucketOwnershipControlsCommand,
  PutBucketAclCommand,
  PutBucketOwnershipControlsCommand,
  type BucketCannedACL,
  type Grant,
  type ObjectOwnership,
} from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { attributesOf } from '../support/tree.ts'

const at = useGateway()

async function bucketOf(ObjectOwnership: ObjectOwnership): Promise<string> {
  const Bucket = `acl-${randomBytes(6).toString('hex')}`
  await at.s3.send(new CreateBucketCommand({ Bucket, ObjectOwnership }))
  return Bucket
}

const ownGrant = (): Grant => ({
  Grantee: { Type: 'CanonicalUser', ID: at.gateway.access },
  Permission: 'FULL_CONTROL',
})
const toEveryone = (Permission: 'READ' | 'WRITE'): Grant => ({
  Grantee: { Type: 'Group', ID: 'all-users' },
  Permission,
})

describe('Bucket ACLs', () => {
  test.each<readonly [BucketCannedACL, readonly ('READ' | 'WRITE')[]]>([
    ['private', []],
    ['public-read', ['READ']],
    ['public-read-write', ['READ', 'WRITE']],
  ])('canned %s', async (ACL, permissions) => {
    const Bucket = await bucketOf('BucketOwnerPreferred')
    await at.s3.send(new PutBucketAclCommand({ Bucket, ACL }))
    const { Owner, Grants } = await at.s3.send(new GetBucketAclCommand({ Bucket }))
    expect(Owner).toEqual({ ID: at.gateway.access })
    expect(Grants).toEqual([ownGrant(), ...permissions.map(toEveryone)])
  })

  test('by header and by document', async () => {
    const Bucket = await bucketOf('ObjectWriter')
    const ID = at.gateway.access
    const grant: Grant = { Grantee: { Type: 'CanonicalUser', ID }, Permission: 'READ_ACP' }
    await at.s3.send(new PutBucketAclCommand({ Bucket, GrantReadACP: ID }))
    const byHeader = await at.s3.send(new GetBucketAclCommand({ Bucket }))
    expect(byHeader.Grants).toEqual([ownGrant(), grant])
    await at.s3.send(
      new PutBucketAclCommand({ Bucket, AccessControlPolicy: { Owner: { ID }, Grants: [] } }),
    )
    expect(attributesOf(at.path(Bucket))['acl']).toBe(
      `{"Owner":"${ID}","Grantees":[{"Permission":"FULL_CONTROL","Access":"${ID}","Type":"CanonicalUser"}]}`,
    )
  })

  test('contract 9.2, 17: an unknown grantee is the client’s mistake, and changes nothing', async () => {
    const Bucket = await bucketOf('ObjectWriter')
    const stored = attributesOf(at.path(Bucket))
    const unknown = await failure(
      at.s3.send(new PutBucketAclCommand({ Bucket, GrantRead: 'nobody' })),
    )
    expect([unknown.name, unknown.message, unknown.status]).toEqual([
      'InvalidArgument',
      'Invalid id',
      400,
    ])
    expect(attributesOf(at.path(Bucket))).toEqual(stored)
    const name = `acl-${randomBytes(6).toString('hex')}`
    const creating = new CreateBucketCommand({
      Bucket: name,
      ObjectOwnership: 'ObjectWriter',
      GrantWrite: 'nobody',
    })
    expect((await failure(at.s3.send(creating))).status).toBe(400)
    expect((await at.send('HEAD', `/${name}`)).status).toBe(404)
  })

  test('enforced ownership switches ACLs off until it is deleted', async () => {
    const Bucket = await bucketOf('BucketOwnerEnforced')
    const put = (): Promise<unknown> =>
      at.s3.send(new PutBucketAclCommand({ Bucket, ACL: 'public-read' }))
    expect((await failure(put())).name).toBe('AccessControlListNotSupported')
    const controls = await at.s3.send(new GetBucketOwnershipControlsCommand({ Bucket }))
    expect(controls.OwnershipControls?.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }])
    await at.s3.send(new DeleteBucketOwnershipControlsCommand({ Bucket }))
    const none = await failure(at.s3.send(new GetBucketOwnershipControlsCommand({ Bucket })))
    expect(none.name).toBe('OwnershipControlsNotFoundError')
    await put()
    await at.s3.send(
      new PutBucketOwnershipControlsCommand({
        Bucket,
        OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      }),
    )
    expect((await failure(put())).name).toBe('AccessControlListNotSupported')
  })

  test('names that would be read as JSON or XML are none', async () => {
    const Bucket = await bucketOf('ObjectWriter')
    const owner = at.gateway.access
    for (const id of ['","Permission":"FULL_CONTROL', '<ID>', '../x', 'a'.repeat(3000)]) {
      const escaped = id.replaceAll('<', '&lt;').replaceAll('"', '&quot;')
      const body = `<AccessControlPolicy xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Owner><ID>${owner}</ID></Owner><AccessControlList><Grant><Grantee xsi:type="CanonicalUser"><ID>${escaped}</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`
      const { status, code } = await at.send('PUT', `/${Bucket}?acl`, { body })
      expect([id, status, code]).toEqual([id, 400, 'InvalidArgument'])
    }
  })
})
