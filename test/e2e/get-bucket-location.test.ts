import { GetBucketLocationCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'

describe('GetBucketLocation in us-east-1', () => {
  const at = useGateway()
  test('is empty (contract 6.3)', async () => {
    const bucket = await at.bucket()
    const { status, text } = await at.send('GET', `/${bucket}?location`)
    expect(status).toBe(200)
    expect(text).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>',
    )
    const missing = await at.send('GET', '/no-such-bucket?location')
    expect([missing.status, missing.code]).toEqual([404, 'NoSuchBucket'])
  })
})

describe('GetBucketLocation in another region', () => {
  const at = useGateway({ flags: ['--region', 'eu-north-1'] })
  test('names it', async () => {
    const bucket = await at.bucket()
    const s3 = at.client({ region: 'eu-north-1' })
    const { LocationConstraint } = await s3.send(new GetBucketLocationCommand({ Bucket: bucket }))
    expect(LocationConstraint).toBe('eu-north-1')
    const created = await at.send('PUT', '/located-bucket', {
      sign: { region: 'eu-north-1' },
      body: '<CreateBucketConfiguration><LocationConstraint>eu-north-1</LocationConstraint></CreateBucketConfiguration>',
    })
    expect(created.status).toBe(200)
    const wrong = await at.send('GET', `/${bucket}`)
    expect([wrong.status, wrong.code, wrong.element('Region')]).toEqual([
      400,
      'AuthorizationHeaderMalformed',
      'eu-north-1',
    ])
    // Clients that do not know the region yet list the buckets from us-east-1 (contract 4.2).
    expect((await at.send('GET', '/')).status).toBe(200)
  })
})
