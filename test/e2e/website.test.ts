import {
  DeleteBucketWebsiteCommand,
  GetBucketWebsiteCommand,
  PutBucketWebsiteCommand,
  type WebsiteConfiguration,
} from '@aws-sdk/client-s3'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { failure, useGateway } from '../support/fixture.ts'
import { attributeBytes, setAttribute } from '../support/tree.ts'

const at = useGateway()
const SITE: WebsiteConfiguration = {
  IndexDocument: { Suffix: 'index.html' },
  ErrorDocument: { Key: 'error.html' },
  RoutingRules: [
    {
      Condition: { KeyPrefixEquals: 'docs/', HttpErrorCodeReturnedEquals: '404' },
      Redirect: { ReplaceKeyPrefixWith: 'documents/', HttpRedirectCode: '302', Protocol: 'https' },
    },
  ],
}

describe('The website configuration of a bucket', () => {
  test('put, got, deleted (contract 6.2: 200, 200, 204, NoSuchWebsiteConfiguration)', async () => {
    const Bucket = await at.bucket()
    const put = new PutBucketWebsiteCommand({ Bucket, WebsiteConfiguration: SITE })
    expect((await at.s3.send(put)).$metadata.httpStatusCode).toBe(200)
    const { $metadata, ...site } = await at.s3.send(new GetBucketWebsiteCommand({ Bucket }))
    expect(site).toEqual(SITE)
    const deleted = await at.s3.send(new DeleteBucketWebsiteCommand({ Bucket }))
    expect(deleted.$metadata.httpStatusCode).toBe(204)
    const none = await failure(at.s3.send(new GetBucketWebsiteCommand({ Bucket })))
    expect([$metadata.httpStatusCode, none.name, none.status]).toEqual([
      200,
      'NoSuchWebsiteConfiguration',
      404,
    ])
  })

  test('contract 2.2: stored as it came, in gzip', async () => {
    const bucket = await at.bucket()
    const body =
      '<WebsiteConfiguration xmlns="x">\n <IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>'
    await at.send('PUT', `/${bucket}?website`, { body })
    expect(gunzipSync(attributeBytes(at.path(bucket), 'website')).toString()).toBe(body)
  })

  test('A21: one that unpacks to more than can be put is not read', async () => {
    const bucket = await at.bucket()
    const index = '<IndexDocument><Suffix>i</Suffix></IndexDocument>'
    const site = (padding: number) =>
      `<WebsiteConfiguration>${index}${' '.repeat(padding)}</WebsiteConfiguration>`
    const store = (padding: number): void => {
      setAttribute(at.path(bucket), 'website', gzipSync(site(padding)))
    }
    store(1000)
    expect((await at.send('GET', `/${bucket}?website`)).status).toBe(200)
    store(1_000_000)
    const { status, code } = await at.send('GET', `/${bucket}?website`)
    expect([status, code]).toEqual([404, 'NoSuchWebsiteConfiguration'])
  })

  test('A21: one of many tags is refused before it is read', async () => {
    const bucket = await at.bucket()
    const body = `<WebsiteConfiguration>${'<a/>'.repeat(32_000)}</WebsiteConfiguration>`
    const { status, code } = await at.send('PUT', `/${bucket}?website`, { body })
    expect([status, code]).toEqual([400, 'MalformedXML'])
  })
})
