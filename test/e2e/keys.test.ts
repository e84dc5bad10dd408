import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { encode } from '../support/sigv4.ts'
import { strayFiles } from '../support/tree.ts'

const at = useGateway()

describe('Keys', () => {
  test.each([
    'with space',
    'plus+and%20percent',
    'a%2Fb',
    'ünïcode/日本語/😀',
    'e\u0301 combining and é',
    '..hidden',
    'dots...',
    "all!*'()~-_.of:@&=$,;?#[]",
    'back\\slash',
    '"quotes"<tags>&amp;',
    ' leading and trailing ',
    'tab\there',
    'line\nfeed',
    `${'segment/'.repeat(112)}end`,
    'n'.repeat(255),
    'ü'.repeat(127),
    'sgwtmp/.not-ours',
    'con',
    '-rf',
    'a'.repeat(100).concat('/').repeat(10).concat('k'),
  ])('%j goes and comes back as it is', async (key) => {
    const bucket = await at.bucket()
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: key }))
    const { Body } = await at.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    expect(await Body?.transformToString()).toBe(key)
    const { Contents } = await at.s3.send(
      new ListObjectsV2Command({ Bucket: bucket, EncodingType: 'url' }),
    )
    expect(Contents?.map(({ Key = '' }) => decodeURIComponent(Key.replaceAll('+', ' ')))).toEqual([
      key,
    ])
    expect(
      (await at.send('DELETE', `/${bucket}/${key.split('/').map(encode).join('/')}`)).status,
    ).toBe(204)
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test.each(['k'.repeat(256), `dir/${'k'.repeat(256)}`, `${'d'.repeat(256)}/k`])(
    'a name of more than 255 bytes is KeyTooLongError',
    async (key) => {
      const bucket = await at.bucket()
      await at.send('PUT', `/${bucket}/dir/k`, { body: 'x' })
      for (const [method, query, headers] of [
        ['PUT', '', {}],
        ['GET', '', {}],
        ['PUT', '', { 'x-amz-copy-source': `${bucket}/dir/k` }],
      ] as const) {
        const { status, code, element } = await at.send(method, `/${bucket}/${key}${query}`, {
          headers,
        })
        expect([method, query, status, code]).toEqual([method, query, 400, 'KeyTooLongError'])
        expect([element('Size'), element('MaxSizeAllowed')]).toEqual([String(key.length), '1024'])
      }
      expect((await at.send('HEAD', `/${bucket}/${key}`)).status).toBe(400)
      // An upload of such a key must not look as if it could ever be finished.
      const { status: created, element } = await at.send('POST', `/${bucket}/${key}?uploads`)
      if (created === 200) {
        const id = element('UploadId') ?? ''
        const part = await at.send('PUT', `/${bucket}/${key}?partNumber=1&uploadId=${id}`, {
          body: 'x',
        })
        const xml = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.header('etag') ?? ''}</ETag></Part></CompleteMultipartUpload>`
        const done = await at.send('POST', `/${bucket}/${key}?uploadId=${id}`, { body: xml })
        expect([done.status, done.code]).toEqual([400, 'KeyTooLongError'])
      } else {
        expect(created).toBe(400)
      }
    },
  )

  test('a path of more than 4,096 bytes is refused, whole or not at all', async () => {
    const bucket = await at.bucket()
    const key = `${'d'.repeat(200)}/`.repeat(25).concat('k')
    for (const method of ['PUT', 'GET']) {
      const { status } = await at.send(
        method,
        `/${bucket}/${key}`,
        method === 'PUT' ? { body: 'x' } : {},
      )
      expect([method, status === 400 || (method === 'GET' && status === 404)]).toEqual([
        method,
        true,
      ])
    }
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test.each(['%ff', 'a%c0%afb', '%ed%a0%80', '%f5%80%80%80'])(
    'bytes that are no UTF-8 (%s): refused, or kept as they are',
    async (key) => {
      const bucket = await at.bucket()
      const { status } = await at.send('PUT', `/${bucket}/${key}`, { body: 'odd' })
      if (status === 200) {
        expect((await at.send('GET', `/${bucket}/${key}`)).text).toBe('odd')
        const { text } = await at.send('GET', `/${bucket}?list-type=2&encoding-type=url`)
        expect(text.toLowerCase()).toContain(`<key>${key}</key>`)
        expect((await at.send('DELETE', `/${bucket}/${key}`)).status).toBe(204)
      } else {
        expect(status).toBe(400)
      }
      expect(strayFiles(at.path(bucket))).toEqual([])
    },
  )

  test.each(['a%00b', '%00', '%zz', 'a%2', '%'])('%s is refused with a 4xx', async (key) => {
    const bucket = await at.bucket()
    for (const method of ['PUT', 'GET', 'HEAD', 'DELETE']) {
      const { status } = await at.send(method, `/${bucket}/${key}`)
      expect([method, status]).toEqual([method, 400])
    }
    expect(strayFiles(at.path(bucket))).toEqual([])
  })

  test('slashes that repeat and dots that stay inside mean the same object (contract 2.1)', async () => {
    const bucket = await at.bucket()
    for (const key of ['/a//b', 'x/../a/b', './a/./b', 'a/b']) {
      expect((await at.send('PUT', `/${bucket}/${key}`, { body: key })).status).toBe(200)
      expect(readdirSync(at.path(bucket, 'a'))).toEqual(['b'])
      expect((await at.send('GET', `/${bucket}/a/b`)).text).toBe(key)
    }
    expect(existsSync(at.path(bucket, 'x'))).toBe(false)
  })

  test('NFC and NFD are two keys', async () => {
    const bucket = await at.bucket()
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'é', Body: 'nfc' }))
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'e\u0301', Body: 'nfd' }))
    const { Contents } = await at.s3.send(new ListObjectsV2Command({ Bucket: bucket }))
    expect(Contents?.map(({ Key }) => Key)).toEqual(['e\u0301', 'é'])
  })
})
