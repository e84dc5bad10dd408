import { beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'

/** What `--dialect aws` and `--default-object-ownership` change (docs/compat.md); without them the contract's answers are given. */
const at = useGateway({
  flags: ['--dialect', 'aws', '--default-object-ownership', 'BucketOwnerPreferred'],
})
let bucket = ''

beforeAll(async () => {
  bucket = await at.bucket()
  await at.send('PUT', `/${bucket}/d/k`)
  await at.send('PUT', `/${bucket}/k`)
})

describe('--dialect aws', () => {
  test('listings tell what they were not asked for', async () => {
    const list = await at.send('GET', `/${bucket}`)
    expect(list.text).toContain('<Prefix></Prefix><Marker></Marker>')
    const second = await at.send('GET', `/${bucket}?list-type=2&delimiter=%2F`)
    expect(second.text).toContain('<Prefix></Prefix>')
    expect(second.element('KeyCount')).toBe('2')
  })

  test.each(['a..b', 'a.-b', 'a-.b'])('%s is no name for a new bucket', async (name) => {
    const made = await at.send('PUT', `/${name}`)
    expect([made.status, made.code]).toEqual([400, 'InvalidBucketName'])
  })

  test('whoever makes his own bucket again has it, with what is in it', async () => {
    await at.send('PUT', '/own-bucket')
    await at.send('PUT', '/own-bucket/k')
    expect((await at.send('PUT', '/own-bucket')).status).toBe(200)
    expect((await at.send('HEAD', '/own-bucket/k')).status).toBe(200)
  })
})

describe('--default-object-ownership', () => {
  test('a bucket whose maker says nothing of it has ACLs', async () => {
    const headers = { 'x-amz-acl': 'public-read' }
    expect((await at.send('PUT', '/with-acl', { headers })).status).toBe(200)
    const owner = await at.send('GET', '/with-acl?ownershipControls')
    expect(owner.element('ObjectOwnership')).toBe('BucketOwnerPreferred')
    expect((await at.send('GET', '/with-acl', { sign: false })).status).toBe(200)
  })

  test('whoever says otherwise gets it', async () => {
    const headers = { 'x-amz-object-ownership': 'BucketOwnerEnforced' }
    expect((await at.send('PUT', '/without-acl', { headers })).status).toBe(200)
    const put = await at.send('PUT', '/without-acl?acl', {
      headers: { 'x-amz-acl': 'public-read' },
    })
    expect(put.code).toBe('AccessControlListNotSupported')
  })
})
