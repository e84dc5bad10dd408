import {
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteBucketTaggingCommand,
  DeleteObjectTaggingCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type Tag,
} from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { attributesOf } from '../support/tree.ts'

const at = useGateway()
const TAGS: Tag[] = [
  { Key: 'a', Value: '1' },
  { Key: 'b c', Value: 'grün +-=._:/@' },
]

describe('Tags', () => {
  test('of a bucket: put, got, deleted (contract 6.2: 204, NoSuchTagSet)', async () => {
    const Bucket = await at.bucket()
    const none = await failure(at.s3.send(new GetBucketTaggingCommand({ Bucket })))
    expect([none.name, none.status]).toEqual(['NoSuchTagSet', 404])
    const put = await at.s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: TAGS } }))
    expect(put.$metadata.httpStatusCode).toBe(204)
    expect((await at.s3.send(new GetBucketTaggingCommand({ Bucket }))).TagSet).toEqual(TAGS)
    expect(attributesOf(at.path(Bucket))['X-Amz-Tagging']).toBe('{"a":"1","b c":"grün +-=._:/@"}')
    await at.s3.send(new DeleteBucketTaggingCommand({ Bucket }))
    expect(attributesOf(at.path(Bucket))['X-Amz-Tagging']).toBeUndefined()
  })

  test('of an object: put, counted, replaced, deleted', async () => {
    const Bucket = await at.bucket()
    const ref = { Bucket, Key: 'dir/k' }
    await at.s3.send(new PutObjectCommand({ ...ref, Body: 'x', Tagging: 'old=1' }))
    await at.s3.send(new PutObjectTaggingCommand({ ...ref, Tagging: { TagSet: TAGS } }))
    expect((await at.s3.send(new GetObjectTaggingCommand(ref))).TagSet).toEqual(TAGS)
    expect((await at.s3.send(new GetObjectCommand(ref))).TagCount).toBe(2)
    await at.s3.send(new DeleteObjectTaggingCommand(ref))
    expect((await at.s3.send(new GetObjectTaggingCommand(ref))).TagSet).toEqual([])
    const head = await at.s3.send(new HeadObjectCommand(ref))
    expect([head.ContentLength, head.ContentType]).toEqual([1, 'application/octet-stream'])
  })

  test('of a copy: taken over, replaced, left out', async () => {
    const Bucket = await at.bucket()
    await at.s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', Tagging: 'a=1' }))
    const tagsOf = async (
      Key: string,
      options: { TaggingDirective?: 'COPY' | 'REPLACE'; Tagging?: string },
    ): Promise<Tag[] | undefined> => {
      await at.s3.send(
        new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/k`, ...options }),
      )
      return (await at.s3.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet
    }
    expect(await tagsOf('1', {})).toEqual([{ Key: 'a', Value: '1' }])
    const replaced = await tagsOf('2', { TaggingDirective: 'REPLACE', Tagging: 'b=2' })
    expect(replaced).toEqual([{ Key: 'b', Value: '2' }])
    expect(await tagsOf('3', { TaggingDirective: 'REPLACE' })).toEqual([])
  })

  test('of an upload are the finished object’s', async () => {
    const Bucket = await at.bucket()
    const { UploadId = '' } = await at.s3.send(
      new CreateMultipartUploadCommand({ Bucket, Key: 'k', Tagging: 'a=1' }),
    )
    const part = await at.send('PUT', `/${Bucket}/k?uploadId=${UploadId}&partNumber=1`, {
      body: 'x',
    })
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.header('etag') ?? ''}</ETag></Part></CompleteMultipartUpload>`
    await at.send('POST', `/${Bucket}/k?uploadId=${UploadId}`, { body })
    const { TagSet } = await at.s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'k' }))
    expect(TagSet).toEqual([{ Key: 'a', Value: '1' }])
  })

  test('tags are there before the object is: nobody sees it without them (contract 9.2, 13)', async () => {
    const Bucket = await at.bucket()
    const ref = { Bucket, Key: 'k' }
    const writing = new AbortController()
    const seen = new Set<number | undefined>()
    const watch = (async () => {
      while (!writing.signal.aborted) {
        const { status, header } = await at.send('HEAD', `/${Bucket}/k`)
        if (status === 200) seen.add(Number(header('x-amz-tagging-count')))
      }
    })()
    for (let i = 0; i < 50; i++) {
      await at.s3.send(new PutObjectCommand({ ...ref, Body: 'x', Tagging: 'a=1&b=2' }))
    }
    writing.abort()
    await watch
    expect([...seen]).toEqual([2])
  })

  test('what is too much or malformed is refused, and changes nothing', async () => {
    const Bucket = await at.bucket()
    const ref = { Bucket, Key: 'k' }
    await at.s3.send(new PutObjectCommand({ ...ref, Body: 'x', Tagging: 'a=1' }))
    const put = async (TagSet: Tag[]): Promise<string> =>
      (await failure(at.s3.send(new PutObjectTaggingCommand({ ...ref, Tagging: { TagSet } })))).name
    const many = Array.from({ length: 11 }, (_, i) => ({ Key: `k${i}`, Value: '' }))
    expect(await put(many)).toBe('BadRequest')
    expect(await put([{ Key: 'a?', Value: '' }])).toBe('InvalidTag')
    expect(await put([...TAGS, ...TAGS])).toBe('InvalidTag')
    const bomb = `<!DOCTYPE x [<!ENTITY a "b">]><Tagging><TagSet><Tag><Key>&a;</Key><Value/></Tag></TagSet></Tagging>`
    expect((await at.send('PUT', `/${Bucket}/k?tagging`, { body: bomb })).code).toBe('MalformedXML')
    const { TagSet } = await at.s3.send(new GetObjectTaggingCommand(ref))
    expect(TagSet).toEqual([{ Key: 'a', Value: '1' }])
  })
})
