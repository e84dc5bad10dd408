import { PutObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { md5Base64 } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import { completeXml, startUpload } from '../support/multipart.ts'

const at = useGateway()
const parts = Array.from({ length: 10_000 }, (_, i) => ({
  number: i + 1,
  etag: '"d41d8cd98f00b204e9800998ecf8427e"',
  more: '<ChecksumCRC32>AAAAAA==</ChecksumCRC32>',
}))

const deleteXml = (keys: readonly string[]): string =>
  `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`

describe('Documents that are read aside', () => {
  test('10,000 parts, while others are served', async () => {
    const upload = await startUpload(at)
    await at.s3.send(new PutObjectCommand({ Bucket: upload.bucket, Key: 'other', Body: 'x' }))
    const state = { isDone: false }
    const complete = upload.complete(parts).finally(() => (state.isDone = true))
    const waits: number[] = []
    while (!state.isDone) {
      const started = performance.now()
      expect((await at.send('GET', `/${upload.bucket}/other`)).text).toBe('x')
      waits.push(performance.now() - started)
    }
    const { status, code } = await complete
    expect([status, code]).toEqual([400, 'InvalidPart'])
    expect(waits.length).toBeGreaterThan(3)
    // Most of a third of a second if the main thread read it. This machine is shared: some requests wait for the processor.
    expect(waits.toSorted((a, b) => a - b).at(Math.floor(waits.length / 2))).toBeLessThan(50)
  })

  test('parts of an upload that is none', async () => {
    const bucket = await at.bucket()
    const target = `/${bucket}/k?uploadId=00000000-0000-4000-8000-000000000000`
    const { status, code } = await at.send('POST', target, { body: completeXml(parts) })
    expect([status, code]).toEqual([404, 'NoSuchUpload'])
  })

  test('a thousand keys, several times at once', async () => {
    const bucket = await at.bucket()
    const keys = Array.from({ length: 1000 }, (_, i) => `prefix/of/some/length/${i}`)
    for (const key of [keys[0], keys[999]])
      await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'x' }))
    const body = deleteXml(keys)
    const answers = await Promise.all(
      Array.from({ length: 4 }, () =>
        at.send('POST', `/${bucket}?delete`, {
          body,
          headers: { 'Content-MD5': md5Base64(body) },
        }),
      ),
    )
    for (const { status, elements } of answers)
      expect([status, elements('Key')]).toEqual([200, keys])
    expect((await at.send('GET', `/${bucket}/${keys[999]}`)).status).toBe(404)
  })

  test.each([
    ['no end', deleteXml(Array.from({ length: 1000 }, () => 'a key')).slice(0, -1)],
    ['another root', completeXml(parts.slice(0, 1000))],
    ['a document type', `<!DOCTYPE Delete>${deleteXml(Array.from({ length: 1000 }, () => 'k'))}`],
    ['half a million elements', `<Delete>${'<a/>'.repeat(500_000)}</Delete>`],
    [
      'attributes',
      `<Delete ${Array.from({ length: 100_000 }, (_, i) => `a${i}=""`).join(' ')}></Delete>`,
    ],
  ])('%s', async (_, body) => {
    const bucket = await at.bucket()
    const { status, code } = await at.send('POST', `/${bucket}?delete`, {
      body,
      headers: { 'Content-MD5': md5Base64(body) },
    })
    expect([status, code]).toEqual([400, 'InvalidRequest'])
  })
})
