import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import * as S3 from '@aws-sdk/client-s3'
import { afterAll, describe, expect, test } from 'vitest'
import { scratch, startGateway } from '../support/gateway.ts'
import { md5Hex } from '../support/checksums.ts'
import { startVersitygw, versitygw } from '../support/versitygw.ts'

const MiB = 1024 * 1024
const BUCKET = 'sidecar-data'

/** Contract 2.6, both ways: what one gateway writes, uploads in progress and versions included, the other serves. */
describe.skipIf(versitygw === undefined)('a sidecar directory, shared with VersityGW', () => {
  const dir = mkdtempSync(join(scratch(), 'vgw-shared-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  interface Place {
    readonly data: string
    readonly posixFlags: readonly string[]
  }

  const places = (name: string): Place => {
    const [data = '', sidecar = '', versions = ''] = ['data', 'sidecar', 'versions'].map((kind) => {
      mkdirSync(join(dir, name, kind), { recursive: true })
      return join(dir, name, kind)
    })
    return { data, posixFlags: ['--sidecar', sidecar, '--versioning-dir', versions] }
  }

  const ours = async ({ data, posixFlags }: Place) => {
    const gateway = await startGateway({ dir: data, posixFlags })
    const { access: accessKeyId, secret: secretAccessKey } = gateway
    return {
      client: clientOf(gateway.endpoint, { accessKeyId, secretAccessKey }),
      stop: () => gateway.stop(),
    }
  }

  const theirs = async (place: Place) => {
    const gateway = await startVersitygw(place)
    const { access: accessKeyId, secret: secretAccessKey } = gateway.credentials
    const client = clientOf(gateway.endpoint, { accessKeyId, secretAccessKey })
    return { client, stop: () => gateway[Symbol.asyncDispose]() }
  }

  test.each([
    ['ours', 'VersityGW', ours, theirs],
    ['VersityGW', 'ours', theirs, ours],
  ] as const)('written by %s, served and finished by %s', async (name, _, writer, reader) => {
    const place = places(name)
    const first = await writer(place)
    const uploadId = await write(first.client)
    const told = await tell(first.client)
    await first.stop()
    const second = await reader(place)
    try {
      expect(await tell(second.client)).toEqual(told)
      await finish(second.client, uploadId)
      const { ContentLength, Metadata, ETag } = await second.client.send(
        new S3.HeadObjectCommand({ Bucket: BUCKET, Key: 'mp' }),
      )
      expect([ContentLength, Metadata, ETag?.endsWith('-2"')]).toEqual([
        5 * MiB + 3,
        { m: 'p' },
        true,
      ])
      await second.client.send(
        new S3.PutObjectCommand({
          Bucket: BUCKET,
          Key: 'a/plain',
          Body: 'new',
          Metadata: { n: '1' },
        }),
      )
      await second.client.send(new S3.DeleteObjectCommand({ Bucket: BUCKET, Key: 'dir/' }))
    } finally {
      await second.stop()
    }
    const back = await writer(place)
    const head = await back.client.send(
      new S3.HeadObjectCommand({ Bucket: BUCKET, Key: 'a/plain' }),
    )
    expect([head.ETag, head.Metadata]).toEqual([`"${md5Hex('new')}"`, { n: '1' }])
    await back.stop()
  })
})

function clientOf(
  endpoint: string,
  credentials: { accessKeyId: string; secretAccessKey: string },
): S3Client {
  return new S3Client({
    endpoint,
    credentials,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
  })
}

/** Objects of all kinds, and an upload that is not finished; gives back its id. */
async function write(client: S3Client): Promise<string> {
  const at = { Bucket: BUCKET }
  await client.send(new S3.CreateBucketCommand(at))
  await client.send(new S3.PutBucketPolicyCommand({ ...at, Policy: POLICY }))
  const described = { ContentType: 'text/x', Metadata: { color: 'blue' }, Tagging: 'k=v' }
  await client.send(new S3.PutObjectCommand({ ...at, Key: 'a/plain', Body: 'old', ...described }))
  await client.send(new S3.PutObjectCommand({ ...at, Key: 'a/plain', Body: 'bytes', ...described }))
  await client.send(new S3.PutObjectCommand({ ...at, Key: 'dir/' }))
  await client.send(
    new S3.CopyObjectCommand({ ...at, Key: 'copy', CopySource: `${BUCKET}/a/plain` }),
  )
  await client.send(new S3.PutObjectCommand({ ...at, Key: 'gone', Body: 'x' }))
  await client.send(new S3.DeleteObjectCommand({ ...at, Key: 'gone' }))
  const { UploadId = '' } = await client.send(
    new S3.CreateMultipartUploadCommand({ ...at, Key: 'mp', Metadata: { m: 'p' } }),
  )
  const part = { ...at, Key: 'mp', UploadId }
  const Body = Buffer.alloc(5 * MiB, 'p')
  await client.send(new S3.UploadPartCommand({ ...part, PartNumber: 1, Body }))
  await client.send(
    new S3.PutBucketVersioningCommand({ ...at, VersioningConfiguration: { Status: 'Enabled' } }),
  )
  for (const body of ['one', 'two'])
    await client.send(
      new S3.PutObjectCommand({ ...at, Key: 'versioned', Body: body, Metadata: { body } }),
    )
  return UploadId
}

const POLICY = JSON.stringify({
  Statement: [
    {
      Effect: 'Allow',
      Principal: '*',
      Action: 's3:GetObject',
      Resource: `arn:aws:s3:::${BUCKET}/*`,
    },
  ],
})

/** What a client sees. */
async function tell(client: S3Client): Promise<unknown> {
  const at = { Bucket: BUCKET }
  const { Contents = [] } = await client.send(new S3.ListObjectsV2Command(at))
  const heads = []
  for (const { Key = '' } of Contents) {
    const {
      $metadata: _,
      LastModified: __,
      Expiration: ___,
      ...head
    } = await client.send(new S3.HeadObjectCommand({ ...at, Key, ChecksumMode: 'ENABLED' }))
    const tags = await client.send(new S3.GetObjectTaggingCommand({ ...at, Key }))
    heads.push({ Key, ...head, tags: tags.TagSet })
  }
  const { Versions = [] } = await client.send(
    new S3.ListObjectVersionsCommand({ ...at, Prefix: 'versioned' }),
  )
  const versions = []
  for (const { VersionId } of Versions) {
    const version = { ...at, Key: 'versioned', VersionId }
    const { Metadata, ETag } = await client.send(new S3.HeadObjectCommand(version))
    versions.push([VersionId, Metadata, ETag])
  }
  const policy = await client.send(new S3.GetBucketPolicyCommand(at))
  const uploads = await client.send(new S3.ListMultipartUploadsCommand(at))
  return {
    heads,
    versions,
    policy: policy.Policy,
    uploads: uploads.Uploads?.map(({ Key, UploadId }) => [Key, UploadId]),
  }
}

async function finish(client: S3Client, UploadId: string): Promise<void> {
  const part = { Bucket: BUCKET, Key: 'mp', UploadId }
  await client.send(new S3.UploadPartCommand({ ...part, PartNumber: 2, Body: 'end' }))
  const { Parts = [] } = await client.send(new S3.ListPartsCommand(part))
  const listed = Parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }))
  await client.send(
    new S3.CompleteMultipartUploadCommand({ ...part, MultipartUpload: { Parts: listed } }),
  )
}
