import { DeleteBucketCommand } from '@aws-sdk/client-s3'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'

const at = useGateway()

describe('DeleteBucket', () => {
  test('an empty one', async () => {
    const bucket = await at.bucket()
    const { status, text } = await at.send('DELETE', `/${bucket}`)
    expect([status, text]).toEqual([204, ''])
    expect(existsSync(at.path(bucket))).toBe(false)
    const again = await at.send('DELETE', `/${bucket}`)
    expect([again.status, again.code]).toEqual([404, 'NoSuchBucket'])
  })

  test('one that holds something', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    const error = await failure(at.s3.send(new DeleteBucketCommand({ Bucket: bucket })))
    expect([error.status, error.name]).toEqual([409, 'BucketNotEmpty'])
    expect(existsSync(at.path(bucket, 'k'))).toBe(true)
    await at.send('DELETE', `/${bucket}/k`)
    expect((await at.send('DELETE', `/${bucket}`)).status).toBe(204)
  })

  test('uploads in progress are discarded (contract 2.7)', async () => {
    const bucket = await at.bucket()
    await at.send('POST', `/${bucket}/k?uploads`)
    mkdirSync(at.path(bucket, '.sgwtmp/deep/er'), { recursive: true })
    writeFileSync(at.path(bucket, '.sgwtmp/deep/er/file'), 'left over')
    expect((await at.send('DELETE', `/${bucket}`)).status).toBe(204)
    expect(existsSync(at.path(bucket))).toBe(false)
  })
})
