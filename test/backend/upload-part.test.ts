import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checksum } from '../support/checksums.ts'
import { attributesOf, strayFiles } from '../support/tree.ts'
import { BrokenBody, codeOf, md5, newCall, payloadOf, put, read, someBytes } from './support.ts'
import { BUCKET, KEY, hashed, listed, useUploads } from './uploads.ts'

describe('UploadPart, UploadPartCopy and AbortMultipartUpload', () => {
  const { t, at, uploadsDir, begin, sendPart, complete } = useUploads()

  test('client and upload must agree on the checksum (contract 3.2)', async () => {
    const composite = await begin({ checksum: { algorithm: 'SHA256', type: 'COMPOSITE' } })
    await expect(sendPart(composite, 1, 'x')).rejects.toThrow(
      'expected checksum Type: SHA256, actual checksum Type: null',
    )
    await expect(sendPart(composite, 1, 'x', 'CRC32')).rejects.toThrow(
      'expected checksum Type: SHA256, actual checksum Type: CRC32',
    )
    const full = await begin({ checksum: { algorithm: 'CRC32', type: 'FULL_OBJECT' } })
    expect((await sendPart(full, 1, 'x')).checksum).toEqual({
      algorithm: 'CRC32',
      value: checksum('CRC32', 'x'),
    })
    const none = await begin()
    expect((await sendPart(none, 1, 'x')).checksum).toBeUndefined()
    expect((await sendPart(none, 1, 'x', 'SHA1')).checksum).toEqual({
      algorithm: 'SHA1',
      value: checksum('SHA1', 'x'),
    })
    expect(Object.keys(attributesOf(join(uploadsDir(), none.uploadId, '1'))).sort()).toEqual([
      'etag',
      'part-crc64nvme',
    ])
  })

  test('a part is replaced by the next of its number; one that breaks replaces nothing', async () => {
    const upload = await begin()
    await sendPart(upload, 1, 'first')
    const second = await sendPart(upload, 1, 'second')
    for (const size of [1000, 1_000_000]) {
      const broken = t.backend.uploadPart(
        { ...upload, partNumber: 1 },
        payloadOf(someBytes(size), { breaksAfter: size / 2, pieceBytes: size / 4 }),
        undefined,
        newCall(),
      )
      await expect(broken).rejects.toThrow(BrokenBody)
    }
    expect(readdirSync(join(uploadsDir(), upload.uploadId))).toEqual(['1'])
    await complete(upload, [listed(1, second)])
    expect((await read(t, upload)).bytes.toString()).toBe('second')
  })

  test('ids that were never given out make no path (threats, A8)', async () => {
    mkdirSync(at('.sgwtmp', 'multipart', hashed(KEY), 'evil'), { recursive: true })
    const upload = await begin()
    for (const uploadId of [
      'evil',
      '..',
      '../..',
      '',
      'x'.repeat(100_000),
      randomUUID(),
      `${upload.uploadId}/../evil`,
      `${upload.uploadId}\0`,
    ]) {
      const ref = { ...upload, uploadId }
      expect(await codeOf(sendPart(ref, 1, 'x'))).toBe('NoSuchUpload')
      expect(await codeOf(complete(ref, [{ partNumber: 1, etag: 'x', checksums: {} }]))).toBe(
        'NoSuchUpload',
      )
      expect(await codeOf(t.backend.abortUpload(ref, undefined, newCall()))).toBe('NoSuchUpload')
      expect(
        await codeOf(t.backend.listParts(ref, { partNumberMarker: 0, maxParts: 10 }, newCall())),
      ).toBe('NoSuchUpload')
    }
    // Another key's upload is not this key's.
    expect(await codeOf(sendPart({ ...upload, key: 'other' }, 1, 'x'))).toBe('NoSuchUpload')
    expect(
      await codeOf(
        t.backend.createUpload(
          { bucket: BUCKET, key: 'd/' },
          { headers: {}, userMetadata: {}, tags: undefined, checksum: undefined },
          newCall(),
        ),
      ),
    ).toBe('DirectoryObjectContainsData')
    expect(
      await codeOf(
        t.backend.createUpload(
          { bucket: 'none', key: 'd' },
          { headers: {}, userMetadata: {}, tags: undefined, checksum: undefined },
          newCall(),
        ),
      ),
    ).toBe('NoSuchBucket')
  })

  test('abort', async () => {
    const upload = await begin()
    await sendPart(upload, 1, someBytes(300_000))
    expect(await codeOf(t.backend.abortUpload(upload, new Date(0), newCall()))).toBe(
      'PreconditionFailed',
    )
    await t.backend.abortUpload(upload, undefined, newCall())
    expect(await codeOf(t.backend.abortUpload(upload, undefined, newCall()))).toBe('NoSuchUpload')
    for (const bytes of ['x', someBytes(300_000)])
      expect(await codeOf(sendPart(upload, 1, bytes))).toBe('NoSuchUpload')
    expect(strayFiles(at())).toEqual([])
  })

  test('abort of what a completion that died has left', async () => {
    const upload = await begin()
    await sendPart(upload, 1, 'x')
    const left = `${upload.uploadId}.${'0'.repeat(32)}-1.inprogress`
    renameSync(join(uploadsDir(), upload.uploadId), join(uploadsDir(), left))
    await t.backend.abortUpload(upload, undefined, newCall())
    expect(await codeOf(t.backend.abortUpload(upload, undefined, newCall()))).toBe('NoSuchUpload')
    expect(strayFiles(at())).toEqual([])
  })

  test('uploads of one key that begin and end at once do not get in each other\u2019s way', async () => {
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        for (let round = 0; round < 10; round++) {
          const upload = await begin()
          const part = await sendPart(upload, 1, `${i}-${round}`)
          if (round % 2 === 0) await t.backend.abortUpload(upload, undefined, newCall())
          else await complete(upload, [listed(1, part)])
        }
      }),
    )
    expect(strayFiles(at())).toEqual(['dir/', 'dir/object'])
  })

  test('an upload that begins while its bucket is emptied around it begins again', async () => {
    await begin()
    const { ENOENT } = constants.errno
    for (let after = 0; ; after++) {
      t.io.faults.set({ errno: ENOENT, call: 'openat2', after, times: 1 })
      const upload = await begin()
      const hasFailed = t.io.faults.remaining() === 0
      t.io.faults.clear()
      await sendPart(upload, 1, 'x')
      if (!hasFailed) return expect(after).toBeGreaterThan(0)
    }
  })

  test('UploadPartCopy', async () => {
    const bytes = someBytes(2_000_000)
    const source = { bucket: BUCKET, key: 'source', check: () => undefined }
    await put(t.backend, source, bytes)
    const upload = await begin({ checksum: { algorithm: 'CRC32', type: 'COMPOSITE' } })
    const copy = (partNumber: number, range?: { start: number; end: number }) =>
      t.backend.uploadPartCopy(source, { ...upload, partNumber }, range, newCall())
    const part = await copy(1, { start: 100, end: 1_999_999 })
    const slice = bytes.subarray(100)
    expect(part).toMatchObject({
      etag: `"${md5(slice)}"`,
      checksum: { algorithm: 'CRC32', value: checksum('CRC32', slice) },
    })
    const whole = await copy(2)
    expect(whole).toMatchObject({
      etag: `"${md5(bytes)}"`,
      checksum: { value: checksum('CRC32', bytes) },
    })
    for (const range of [
      { start: 0, end: 2_000_000 },
      { start: 2_000_000, end: 2_000_001 },
      { start: 5, end: 4 },
    ]) {
      expect(await codeOf(copy(3, range))).toBe('InvalidArgument')
    }
    expect(
      await codeOf(
        t.backend.uploadPartCopy(
          source,
          { ...upload, uploadId: randomUUID(), partNumber: 1 },
          undefined,
          newCall(),
        ),
      ),
    ).toBe('NoSuchUpload')
    await complete(upload, [listed(2, whole, true)])
    expect((await read(t, upload)).bytes.equals(bytes)).toBe(true)
  })
})
