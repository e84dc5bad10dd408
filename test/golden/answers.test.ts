import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operations } from '../../src/s3/operations/index.ts'
import { useGateway, type RawRequest } from '../support/fixture.ts'
import { expectGolden } from '../support/golden.ts'
import { formBody, formType } from '../support/post-form.ts'

/**
 * The XML answer of every operation that has one, as it leaves the socket: what differs from run to run stands as `{time}`,
 * `{upload}`, `{host}`. UPDATE_GOLDEN=1 accepts a change. Forms of one answer, as VersityGW gives them, are in `xml.test.ts`.
 */
const versions = mkdtempSync(join(tmpdir(), 'golden-versions-'))
const at = useGateway({ posixFlags: ['--durability', 'none', '--versioning-dir', versions] })
afterAll(() => rmSync(versions, { recursive: true, force: true }))
const bucket = 'golden-answers'

/** Operations whose answer has no body, or none of XML. */
const WITHOUT_XML = new Set(
  [
    'AbortMultipartUpload CreateBucket DeleteBucket DeleteBucketCors',
    'DeleteBucketOwnershipControls DeleteBucketPolicy DeleteBucketTagging DeleteBucketWebsite',
    'DeleteObject DeleteObjectTagging GetBucketPolicy GetObject HeadBucket HeadObject',
    'PreflightOptions PutBucketAcl PutBucketCors PutBucketOwnershipControls PutBucketPolicy',
    'PutBucketTagging PutBucketVersioning PutBucketWebsite PutObject PutObjectLegalHold',
    'PutObjectLockConfiguration PutObjectRetention PutObjectTagging UploadPart',
  ].flatMap((names) => names.split(' ')),
)

type Ask = readonly [method: string, target: string, request?: RawRequest]

const COPY = { headers: { 'x-amz-copy-source': `/${bucket}/k` } }
const ATTRIBUTES = 'ETag,Checksum,ObjectParts,StorageClass,ObjectSize'
const TAGS = '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>'
const CORS =
  '<CORSConfiguration><CORSRule><ID>one</ID><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>'
const WEBSITE =
  '<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>'
const LOCK =
  '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>'
const RETENTION =
  '<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2099-01-02T03:04:05Z</RetainUntilDate></Retention>'
const POLICY = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::${bucket}/*"}]}`

let upload = ''
let part = ''

const verified = (body: string): RawRequest => ({
  body,
  headers: { 'Content-MD5': createHash('md5').update(body).digest('base64') },
})

async function put(...asks: readonly Ask[]): Promise<void> {
  for (const [method, target, request] of asks) {
    const { status, text } = await at.send(method, target, request)
    if (status >= 300) throw new Error(`${method} ${target}: ${status} ${text}`)
  }
}

beforeAll(async () => {
  const acl = { 'x-amz-acl': 'public-read', 'x-amz-object-ownership': 'BucketOwnerPreferred' }
  await put(
    ['PUT', `/${bucket}`, { headers: acl }],
    ['PUT', '/golden-locked', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } }],
    ['PUT', '/golden-locked?object-lock', verified(LOCK)],
    ['PUT', '/golden-locked/k', { body: 'hello' }],
    ['PUT', '/golden-locked/k?retention', verified(RETENTION)],
    ['PUT', '/golden-locked/k?legal-hold', verified('<LegalHold><Status>ON</Status></LegalHold>')],
    ['PUT', `/${bucket}/k`, { body: 'hello' }],
    ['PUT', `/${bucket}/gone`],
    ['PUT', `/${bucket}/d/k`, { body: 'hello' }],
    ['PUT', `/${bucket}/k?tagging`, verified(TAGS)],
    ['PUT', `/${bucket}?tagging`, verified(TAGS)],
    ['PUT', `/${bucket}?cors`, verified(CORS)],
    ['PUT', `/${bucket}?website`, { body: WEBSITE }],
    ['PUT', `/${bucket}?policy`, { body: POLICY }],
  )
  upload = (await at.send('POST', `/${bucket}/mp?uploads`)).element('UploadId') ?? ''
  const target = `/${bucket}/mp?uploadId=${upload}&partNumber=1`
  part = (await at.send('PUT', target, { body: 'hello' })).header('etag') ?? ''
})

const post = (): RawRequest => ({
  headers: { 'Content-Type': formType() },
  body: formBody(
    {
      fields: [
        ['key', 'posted'],
        ['success_action_status', '201'],
      ],
    },
    bucket,
    at.credentials,
  ),
  sign: false,
})
const complete = (): RawRequest => ({
  body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part}</ETag></Part></CompleteMultipartUpload>`,
})

/** In the order they are asked for: what comes before is what the later ones tell of. */
const ANSWERS: Readonly<Record<string, () => Ask>> = {
  ListBuckets: () => ['GET', '/'],
  GetBucketAcl: () => ['GET', `/${bucket}?acl`],
  GetBucketCors: () => ['GET', `/${bucket}?cors`],
  GetBucketLocation: () => ['GET', `/${bucket}?location`],
  GetBucketOwnershipControls: () => ['GET', `/${bucket}?ownershipControls`],
  GetBucketPolicyStatus: () => ['GET', `/${bucket}?policyStatus`],
  GetBucketTagging: () => ['GET', `/${bucket}?tagging`],
  GetBucketVersioning: () => ['GET', '/golden-locked?versioning'],
  ListObjectVersions: () => ['GET', '/golden-locked?versions'],
  GetBucketWebsite: () => ['GET', `/${bucket}?website`],
  GetObjectLockConfiguration: () => ['GET', '/golden-locked?object-lock'],
  GetObjectLegalHold: () => ['GET', '/golden-locked/k?legal-hold'],
  GetObjectRetention: () => ['GET', '/golden-locked/k?retention'],
  GetObjectTagging: () => ['GET', `/${bucket}/k?tagging`],
  GetObjectAttributes: () => [
    'GET',
    `/${bucket}/k?attributes`,
    { headers: { 'x-amz-object-attributes': ATTRIBUTES } },
  ],
  ListObjects: () => ['GET', `/${bucket}?delimiter=%2F&prefix=&max-keys=2`],
  ListObjectsV2: () => ['GET', `/${bucket}?list-type=2&delimiter=%2F&max-keys=2&fetch-owner=true`],
  ListMultipartUploads: () => ['GET', `/${bucket}?uploads`],
  ListParts: () => ['GET', `/${bucket}/mp?uploadId=${upload}`],
  UploadPartCopy: () => ['PUT', `/${bucket}/mp?uploadId=${upload}&partNumber=2`, COPY],
  CompleteMultipartUpload: () => ['POST', `/${bucket}/mp?uploadId=${upload}`, complete()],
  CreateMultipartUpload: () => ['POST', `/${bucket}/mp2?uploads`],
  CopyObject: () => ['PUT', `/${bucket}/copy`, COPY],
  PostObject: () => ['POST', `/${bucket}`, post()],
  DeleteObjects: () => [
    'POST',
    `/${bucket}?delete`,
    verified('<Delete><Object><Key>gone</Key></Object><Object><Key>d/</Key></Object></Delete>'),
  ],
}

function stable(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z(?=<\/(LastModified|CreationDate|Initiated)>)/g, '{time}')
    .replaceAll(/<VersionId>[0-9A-Z]{26}/g, '<VersionId>{version}')
    .replaceAll(/<UploadId>[^<]+/g, '<UploadId>{upload}')
    .replaceAll(at.host, '{host}')
    .replaceAll(/<(RequestId|HostId)>[^<]*/g, '<$1>{id}')
}

const supported = new Set(operations.flatMap(({ name, supported }) => (supported ? [name] : [])))

describe('the XML of each operation', () => {
  test.each(Object.keys(ANSWERS).filter((name) => supported.has(name)))('%s', async (name) => {
    const ask = ANSWERS[name]
    if (ask === undefined) throw new Error('there is no such request')
    const { status, text, header } = await at.send(...ask())
    expect([status < 300, header('content-type')]).toEqual([true, 'application/xml'])
    expectGolden(`answers/${name}.xml`, `${stable(text)}\n`)
  })

  test('no operation lacks one', () => {
    const known = new Set([...Object.keys(ANSWERS), ...WITHOUT_XML, 'Unknown'])
    expect([...supported].filter((name) => !known.has(name))).toEqual([])
  })

  test('an error', async () => {
    const { text } = await at.send('GET', `/nope-${randomBytes(4).toString('hex')}`)
    const error = stable(text).replace(/nope-[0-9a-f]+/, 'nope')
    expectGolden('answers/Error.xml', `${error}\n`)
  })
})
