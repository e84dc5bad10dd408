import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { findTool } from '../support/tools.ts'
import { attributesOf } from '../support/tree.ts'

const at = useGateway()
const configuration = (inner: string): string =>
  `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</CreateBucketConfiguration>`

describe('CreateBucket', () => {
  test('a new bucket (contract 6.2)', async () => {
    const { status, header, text } = await at.send('PUT', '/new-bucket')
    expect([status, text]).toEqual([200, ''])
    expect(header('location')).toBe('/new-bucket')
    expect(header('x-amz-bucket-arn')).toBe('arn:aws:s3:::new-bucket')
    expect(statSync(at.path('new-bucket')).isDirectory()).toBe(true)
    expect(statSync(at.path('new-bucket')).mode & 0o777).toBe(0o755)
  })

  test.skipIf(findTool('getfattr') === undefined)('attributes on disk (contract 2.2)', async () => {
    const { access } = at.credentials
    await at.s3.send(new CreateBucketCommand({ Bucket: 'plain-bucket' }))
    expect(attributesOf(at.path('plain-bucket'))).toEqual({
      acl: `{"Owner":"${access}","Grantees":[{"Permission":"FULL_CONTROL","Access":"${access}","Type":"CanonicalUser"}]}`,
      ownership: 'BucketOwnerEnforced',
    })
    await at.s3.send(
      new CreateBucketCommand({
        Bucket: 'preferred-bucket',
        ObjectOwnership: 'BucketOwnerPreferred',
      }),
    )
    expect(attributesOf(at.path('preferred-bucket'))['ownership']).toBe('BucketOwnerPreferred')
  })

  test.skipIf(findTool('getfattr') === undefined)('tags in the configuration', async () => {
    const tags =
      '<Tags><Tag><Key>b</Key><Value>2</Value></Tag><Tag><Key>a</Key><Value>1</Value></Tag></Tags>'
    const { status } = await at.send('PUT', '/tagged-bucket', { body: configuration(tags) })
    expect(status).toBe(200)
    expect(attributesOf(at.path('tagged-bucket'))['X-Amz-Tagging']).toBe('{"a":"1","b":"2"}')
  })

  test('one that exists', async () => {
    await at.send('PUT', '/mine-already')
    const again = await at.send('PUT', '/mine-already')
    expect([again.status, again.code, again.element('BucketName')]).toEqual([
      409,
      'BucketAlreadyOwnedByYou',
      'mine-already',
    ])
    writeFileSync(join(at.gateway.dir, 'is-a-file'), 'x')
    expect((await at.send('PUT', '/is-a-file')).status).toBe(409)
  })

  test.each([
    'ab',
    'Upper',
    'under_score',
    '-dash',
    'dash-',
    '192.168.1.1',
    'x'.repeat(64),
    '.dot',
    'a..',
    '%2e%2e',
    '.sgwtmp',
  ])('the name %s is not valid (contract 2.1), whatever the signature', async (name) => {
    const signed = await at.send('PUT', `/${name}`)
    expect([signed.status, signed.code]).toEqual([400, 'InvalidBucketName'])
    const anonymous = await at.send('PUT', `/${name}`, { sign: false })
    expect([anonymous.status, anonymous.code]).toEqual([400, 'InvalidBucketName'])
  })

  test('a location', async () => {
    for (const location of ['us-east-1', 'eu-west-1', '']) {
      const answer = await at.send('PUT', '/located', {
        body: configuration(`<LocationConstraint>${location}</LocationConstraint>`),
      })
      expect([answer.status, answer.code]).toEqual([400, 'InvalidLocationConstraint'])
    }
    const malformed = await at.send('PUT', '/located', { body: '<CreateBucketConfiguration>' })
    expect([malformed.status, malformed.code]).toEqual([400, 'MalformedXML'])
    expect(existsSync(at.path('located'))).toBe(false)
    expect((await at.send('PUT', '/located', { body: configuration('') })).status).toBe(200)
  })

  test('ownership and ACL that exclude each other', async () => {
    const both = await at.send('PUT', '/grants', {
      headers: { 'x-amz-acl': 'public-read', 'x-amz-object-ownership': 'BucketOwnerEnforced' },
    })
    expect([both.status, both.code]).toEqual([400, 'InvalidBucketAclWithObjectOwnership'])
    const unknown = await at.send('PUT', '/grants', {
      headers: { 'x-amz-object-ownership': 'Mine' },
    })
    expect([unknown.status, unknown.code, unknown.message]).toEqual([
      400,
      'InvalidArgument',
      'Invalid x-amz-object-ownership header: Mine',
    ])
    const acl = await at.send('PUT', '/grants', { headers: { 'x-amz-acl': 'everybody' } })
    expect([acl.status, acl.code, acl.element('ArgumentName')]).toEqual([
      400,
      'InvalidArgument',
      'x-amz-acl',
    ])
    expect(existsSync(at.path('grants'))).toBe(false)
  })

  test('anonymous', async () => {
    const { status, code } = await at.send('PUT', '/anonymous-bucket', { sign: false })
    expect([status, code]).toEqual([403, 'AccessDenied'])
    expect(existsSync(at.path('anonymous-bucket'))).toBe(false)
  })

  test('a slash after the name, an unknown parameter', async () => {
    expect((await at.send('PUT', '/with-slash/')).status).toBe(200)
    expect((await at.send('PUT', '/with-parameter?bogus')).status).toBe(200)
    expect(existsSync(at.path('with-slash'))).toBe(true)
    expect(existsSync(at.path('with-parameter'))).toBe(true)
  })

  test('one winner among many', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => at.send('PUT', '/contended')))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array<number>(7).fill(409),
    ])
  })
})
