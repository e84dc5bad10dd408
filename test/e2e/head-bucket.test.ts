import { HeadBucketCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'

const at = useGateway()

describe('HeadBucket', () => {
  test('a bucket', async () => {
    const bucket = await at.bucket()
    const { status, header } = await at.send('HEAD', `/${bucket}`)
    expect(status).toBe(200)
    expect(header('x-amz-bucket-region')).toBe('us-east-1')
    expect(header('x-amz-access-point-alias')).toBe('false')
    expect(header('content-type')).toBeUndefined()
    const { BucketRegion } = await at.s3.send(new HeadBucketCommand({ Bucket: bucket }))
    expect(BucketRegion).toBe('us-east-1')
  })

  test('none, a bad name, nobody', async () => {
    expect(
      (await failure(at.s3.send(new HeadBucketCommand({ Bucket: 'no-such-bucket' })))).status,
    ).toBe(404)
    expect((await at.send('HEAD', '/Bad_Name')).status).toBe(400)
    const bucket = await at.bucket()
    const anonymous = await at.send('HEAD', `/${bucket}`, { sign: false })
    expect([anonymous.status, anonymous.header('x-amz-bucket-region')]).toEqual([403, 'us-east-1'])
  })
})
