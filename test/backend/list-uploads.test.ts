import { mkdirSync, renameSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { UploadRef } from '../../src/backend/backend.ts'
import { checksum } from '../support/checksums.ts'
import { md5, newCall } from './support.ts'
import { BUCKET, useUploads } from './uploads.ts'

describe('ListParts and ListMultipartUploads', () => {
  const { t, uploadsDir, begin, sendPart } = useUploads()

  test('an upload whose completion died is listed, and can be aborted', async () => {
    const upload = await begin()
    const other = await begin()
    const claimed = join(uploadsDir(), `${upload.uploadId}.${'0'.repeat(32)}-1.inprogress`)
    renameSync(join(uploadsDir(), upload.uploadId), claimed)
    mkdirSync(join(uploadsDir(), 'no-upload.inprogress'))
    const ids = async (): Promise<string[]> => {
      const page = {
        prefix: '',
        delimiter: '',
        keyMarker: '',
        uploadIdMarker: '',
        maxUploads: 1000,
      }
      const { uploads } = await t.backend.listUploads(BUCKET, page, newCall())
      return uploads.map(({ uploadId }) => uploadId).sort()
    }
    expect(await ids()).toEqual([upload.uploadId, other.uploadId].sort())
    await t.backend.abortUpload(upload, undefined, newCall())
    expect(await ids()).toEqual([other.uploadId])
  })

  test('ListParts', async () => {
    const upload = await begin({ checksum: { algorithm: 'SHA1', type: 'COMPOSITE' } })
    for (const number of [10, 2, 1, 9999]) await sendPart(upload, number, `part ${number}`, 'SHA1')
    const page = (partNumberMarker: number, maxParts: number) =>
      t.backend.listParts(upload, { partNumberMarker, maxParts }, newCall())
    const all = await page(0, 1000)
    expect(all).toMatchObject({
      isTruncated: false,
      nextPartNumberMarker: 9999,
      checksum: { algorithm: 'SHA1', type: 'COMPOSITE' },
    })
    expect(
      all.parts.map(({ partNumber, size, etag, checksum: sum }) => [partNumber, size, etag, sum]),
    ).toEqual(
      [1, 2, 10, 9999].map((n) => [
        n,
        `part ${n}`.length,
        `"${md5(`part ${n}`)}"`,
        { algorithm: 'SHA1', value: checksum('SHA1', `part ${n}`) },
      ]),
    )
    const first = await page(0, 2)
    expect([first.parts.length, first.isTruncated, first.nextPartNumberMarker]).toEqual([
      2,
      true,
      2,
    ])
    const second = await page(2, 2)
    expect([second.parts.length, second.isTruncated, second.nextPartNumberMarker]).toEqual([
      2,
      false,
      9999,
    ])
    expect(await page(9999, 2)).toMatchObject({
      parts: [],
      isTruncated: false,
      nextPartNumberMarker: 0,
    })
  })

  test('ListUploads', async () => {
    const list = (page = {}) =>
      t.backend.listUploads(
        BUCKET,
        { prefix: '', delimiter: '', keyMarker: '', uploadIdMarker: '', maxUploads: 1000, ...page },
        newCall(),
      )
    expect(await list()).toEqual({
      uploads: [],
      commonPrefixes: [],
      isTruncated: false,
      nextKeyMarker: '',
      nextUploadIdMarker: '',
    })
    const uploads: UploadRef[] = []
    for (const key of ['b', 'a/1', 'a/2', 'b', 'ü', 'b', 'Z']) uploads.push(await begin({}, key))
    for (const [i, { key, uploadId }] of uploads.entries())
      utimesSync(join(uploadsDir(key), uploadId), 1_700_000_000 + i, 1_700_000_000 + i)
    const order = [6, 1, 2, 0, 3, 5, 4].map((i) => uploads[i]?.uploadId)
    const all = await list()
    expect(all.uploads.map(({ uploadId }) => uploadId)).toEqual(order)
    expect(all.uploads[0]).toEqual({
      key: 'Z',
      uploadId: order[0],
      initiatedMs: 1_700_000_006_000,
      checksum: undefined,
    })
    for (const maxUploads of [1, 2, 3]) {
      const found: string[] = []
      let marker = { keyMarker: '', uploadIdMarker: '' }
      for (;;) {
        const page = await list({ maxUploads, ...marker })
        found.push(...page.uploads.map(({ uploadId }) => uploadId))
        if (!page.isTruncated) break
        expect(page.uploads).toHaveLength(maxUploads)
        marker = { keyMarker: page.nextKeyMarker, uploadIdMarker: page.nextUploadIdMarker }
      }
      expect(found).toEqual(order)
    }
    const grouped = await list({ delimiter: '/', maxUploads: 2 })
    expect([
      grouped.commonPrefixes,
      grouped.uploads.length,
      grouped.isTruncated,
      grouped.nextKeyMarker,
    ]).toEqual([['a/'], 1, true, 'a/'])
    expect((await list({ delimiter: '/', keyMarker: 'a/' })).uploads).toHaveLength(4)
    expect((await list({ prefix: 'a/' })).uploads).toHaveLength(2)
    expect((await list({ keyMarker: 'a/2' })).uploads).toHaveLength(4)
    expect(await list({ maxUploads: 0 })).toMatchObject({ uploads: [], isTruncated: false })
  })
})
