import { createHash, randomUUID } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, utimesSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  ChecksumAlgorithm,
  CompletedPart,
  CompletedUpload,
  Completion,
  NewUpload,
  UploadRef,
  WrittenPart,
} from '../../src/backend/backend.ts'
import { checksum } from '../support/checksums.ts'
import type { Span } from '../../src/trace/recorder.ts'
import { mountFileSystem } from '../native/loop-mount.ts'
import { attributesOf, strayFiles } from '../support/tree.ts'
import { gunzipSync } from 'node:zlib'
import { execFileSync } from 'node:child_process'
import {
  BrokenBody,
  codeOf,
  makeBucket,
  md5,
  newCall,
  openBackend,
  payloadOf,
  put,
  read,
  someBytes,
  spanTree,
  type TestBackend,
} from './support.ts'

const BUCKET = 'bucket'
const KEY = 'dir/object'
const MIN = 5 * 1024 * 1024

let t: TestBackend
beforeEach(async () => {
  t = await openBackend()
  await makeBucket(t.backend)
})
afterEach(() => t.close())

const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
const hashed = (key: string): string => createHash('sha256').update(key).digest('hex')
const uploadsDir = (key = KEY): string => at('.sgwtmp', 'multipart', hashed(key))

async function begin(upload: Partial<NewUpload> = {}, key = KEY): Promise<UploadRef> {
  const all: NewUpload = {
    headers: {},
    userMetadata: {},
    tags: undefined,
    checksum: undefined,
    ...upload,
  }
  const { uploadId } = await t.backend.createUpload({ bucket: BUCKET, key }, all, newCall())
  return { bucket: BUCKET, key, uploadId }
}

function sendPart(
  upload: UploadRef,
  partNumber: number,
  bytes: Uint8Array | string,
  sum?: ChecksumAlgorithm,
): Promise<WrittenPart> {
  return t.backend.uploadPart({ ...upload, partNumber }, payloadOf(bytes), sum, newCall())
}

function complete(
  upload: UploadRef,
  parts: readonly CompletedPart[],
  more: Partial<Completion> = {},
  call = newCall(),
): Promise<CompletedUpload> {
  const completion: Completion = {
    parts,
    checksumType: undefined,
    checksum: undefined,
    objectSize: undefined,
    precondition: {},
    ...more,
  }
  return t.backend.completeUpload(upload, completion, call)
}

/** As a client lists it. */
function listed(partNumber: number, part: WrittenPart, withChecksum = false): CompletedPart {
  const checksums =
    withChecksum && part.checksum !== undefined
      ? { [part.checksum.algorithm]: part.checksum.value }
      : {}
  return { partNumber, etag: part.etag, checksums }
}

function etagOf(...parts: (Uint8Array | string)[]): string {
  return `"${md5(Buffer.concat(parts.map((part) => Buffer.from(md5(part), 'hex'))))}-${parts.length}"`
}

describe('multipart uploads', () => {
  test('the disk holds what VersityGW expects at each stage (contract 2.4)', async () => {
    const upload = await begin({
      headers: { contentType: 'text/x' },
      userMetadata: { m: '1' },
      tags: { t: '1' },
    })
    expect(attributesOf(uploadsDir())).toEqual({ objname: KEY })
    expect(attributesOf(join(uploadsDir(), upload.uploadId))).toEqual({
      'content-type': 'text/x',
      metadata: '{"m":"1"}',
      'X-Amz-Tagging': '{"t":"1"}',
    })
    const bytes = [someBytes(MIN, 1), Buffer.from('the end')]
    const parts = [
      await sendPart(upload, 2, bytes[0] ?? ''),
      await sendPart(upload, 7, bytes[1] ?? ''),
    ]
    expect(attributesOf(join(uploadsDir(), upload.uploadId, '7'))).toEqual({
      etag: `"${md5('the end')}"`,
      'part-crc64nvme': checksum('CRC64NVME', 'the end'),
    })
    const completed = await complete(upload, [listed(2, parts[0]!), listed(7, parts[1]!)])
    const whole = Buffer.concat(bytes)
    expect(completed.etag).toBe(etagOf(...bytes))
    expect(completed.checksum).toEqual({
      algorithm: 'CRC64NVME',
      type: 'FULL_OBJECT',
      value: checksum('CRC64NVME', whole),
    })
    const got = await read(t, upload)
    expect(got.bytes.equals(whole)).toBe(true)
    expect(got.head).toMatchObject({
      etag: completed.etag,
      partEnds: [MIN, whole.length],
      checksum: completed.checksum,
    })
    const { 'mp-metadata': _, ...attributes } = attributesOf(at(KEY))
    expect(attributes).toMatchObject({
      etag: completed.etag,
      'content-type': 'text/x',
      metadata: '{"m":"1"}',
      'X-Amz-Tagging': '{"t":"1"}',
    })
    expect(Object.keys(attributes).sort()).toEqual([
      'X-Amz-Tagging',
      'checksums',
      'content-type',
      'etag',
      'metadata',
    ])
    const raw = execFileSync('getfattr', [
      '--absolute-names',
      '--only-values',
      '-n',
      'user.mp-metadata',
      at(KEY),
    ])
    expect(gunzipSync(raw).toString()).toBe(
      `{"uploadId":"${upload.uploadId}","parts":[${MIN},${whole.length}]}`,
    )
    expect(strayFiles(at())).toEqual(['dir/', 'dir/object'])
  })

  test.each([
    ['CRC32', 'FULL_OBJECT'],
    ['CRC32C', 'FULL_OBJECT'],
    ['CRC64NVME', 'FULL_OBJECT'],
    ['CRC32', 'COMPOSITE'],
    ['CRC32C', 'COMPOSITE'],
    ['SHA1', 'COMPOSITE'],
    ['SHA256', 'COMPOSITE'],
  ] as const)('checksums %s %s', async (algorithm, type) => {
    const upload = await begin({ checksum: { algorithm, type } })
    const bytes = [someBytes(MIN, 1), someBytes(MIN + 1, 2), someBytes(3, 3)]
    const parts: CompletedPart[] = []
    for (const [i, part] of bytes.entries()) {
      const written = await sendPart(upload, i + 1, part, algorithm)
      expect(written.checksum).toEqual({ algorithm, value: checksum(algorithm, part) })
      parts.push(listed(i + 1, written, true))
    }
    const stored = attributesOf(join(uploadsDir(), upload.uploadId, '1'))
    expect(JSON.parse(stored['checksums'] ?? '')).toMatchObject({
      Algorithm: algorithm,
      Type: '',
      [algorithm]: parts[0]?.checksums[algorithm],
    })
    const whole = Buffer.concat(bytes)
    const sums = Buffer.concat(
      bytes.map((part) => Buffer.from(checksum(algorithm, part), 'base64')),
    )
    const value =
      type === 'FULL_OBJECT' ? checksum(algorithm, whole) : `${checksum(algorithm, sums)}-3`

    expect(
      await codeOf(
        complete(upload, parts, {
          checksumType: type === 'COMPOSITE' ? 'FULL_OBJECT' : 'COMPOSITE',
        }),
      ),
    ).toBe('InvalidRequest')
    expect(await codeOf(complete(upload, parts, { checksum: { algorithm, value: 'AAAA' } }))).toBe(
      'BadDigest',
    )
    const completed = await complete(upload, parts, {
      checksumType: type,
      checksum: { algorithm, value },
      objectSize: whole.length,
    })
    expect(completed.checksum).toEqual({ algorithm, type, value })
    expect((await read(t, upload)).head.checksum).toEqual({ algorithm, type, value })
  })

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

  test('what is wrong with a list of parts, each time leaving the upload as it was (contract 3.4)', async () => {
    const upload = await begin({ checksum: { algorithm: 'CRC32', type: 'FULL_OBJECT' } })
    const small = listed(1, await sendPart(upload, 1, 'small'), true)
    const large = listed(2, await sendPart(upload, 2, someBytes(MIN)), true)
    const last = listed(3, await sendPart(upload, 3, 'last'), true)
    const wrong = async (
      parts: readonly CompletedPart[],
      more: Partial<Completion> = {},
    ): Promise<string> => {
      const code = await codeOf(complete(upload, parts, more))
      expect(readdirSync(uploadsDir())).toEqual([upload.uploadId])
      return code
    }
    expect(await wrong([large, small])).toBe('InvalidPartOrder')
    expect(await wrong([large, large])).toBe('InvalidPartOrder')
    expect(await wrong([{ ...large, partNumber: 0 }])).toBe('InvalidArgument')
    expect(await wrong([large, { ...last, partNumber: 4 }])).toBe('InvalidPart')
    expect(await wrong([large, { ...last, etag: small.etag }])).toBe('InvalidPart')
    expect(await wrong([large, { ...last, etag: 'nonsense' }])).toBe('InvalidPart')
    expect(await wrong([small, large])).toBe('EntityTooSmall')
    expect(await wrong([large, { ...last, checksums: {} }])).toBe('InvalidRequest')
    expect(await wrong([large, { ...last, checksums: { CRC32: 'AAAAAA==' } }])).toBe('InvalidPart')
    expect(await wrong([large, { ...last, checksums: { SHA1: 'AAAA' } }])).toBe('BadDigest')
    expect(await wrong([large, { ...last, checksums: { SHA1: 'AAAA', CRC32: 'AAAA' } }])).toBe(
      'InvalidArgument',
    )
    expect(await wrong([large, last], { objectSize: 1 })).toBe('InvalidRequest')
    expect(await wrong([large, last], { precondition: { ifMatch: 'x' } })).toBe('NoSuchKey')
    await put(t.backend, upload, 'existing')
    expect(await wrong([large, last], { precondition: { ifNoneMatch: '*' } })).toBe(
      'PreconditionFailed',
    )
    expect(await wrong([large, last], { precondition: { ifMatch: 'x' } })).toBe(
      'PreconditionFailed',
    )
    await complete(upload, [large, last], {
      precondition: { ifMatch: md5('existing') },
      objectSize: MIN + 4,
    })
    expect(strayFiles(at())).toEqual(['dir/', 'dir/object'])
  })

  test('complete again: the same answer; after another object took the key, no such upload (contract 9.2, 25)', async () => {
    const upload = await begin()
    const parts = [listed(1, await sendPart(upload, 1, 'only'))]
    const completed = await complete(upload, parts)
    expect(await complete(upload, parts)).toEqual(completed)
    await put(t.backend, upload, 'another')
    expect(await codeOf(complete(upload, parts))).toBe('NoSuchUpload')
    expect((await read(t, upload)).bytes.toString()).toBe('another')
    expect(await codeOf(complete({ ...upload, uploadId: randomUUID() }, parts))).toBe(
      'NoSuchUpload',
    )
  })

  test('ten completions at once are one, with one answer', async () => {
    const upload = await begin()
    const bytes = [someBytes(MIN, 1), someBytes(MIN, 2)]
    const parts = [
      listed(1, await sendPart(upload, 1, bytes[0] ?? '')),
      listed(2, await sendPart(upload, 2, bytes[1] ?? '')),
    ]
    const other = await openBackend({ root: t.root })
    const backends = [t.backend, other.backend]
    const completion: Completion = {
      parts,
      checksumType: undefined,
      checksum: undefined,
      objectSize: undefined,
      precondition: {},
    }
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        (backends[i % 2] ?? t.backend).completeUpload(upload, completion, newCall()),
      ),
    )
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect((await read(t, upload)).bytes.equals(Buffer.concat(bytes))).toBe(true)
    expect(strayFiles(at())).toEqual(['dir/', 'dir/object'])
    await other.close()
  })

  test('a completion that died is taken over, with the same list or another', async () => {
    for (const token of [undefined, 'other-9']) {
      const upload = await begin()
      const parts = [
        listed(1, await sendPart(upload, 1, 'one')),
        listed(2, await sendPart(upload, 2, 'two')),
      ]
      const last = parts.slice(1)
      const name = token ?? etagOf('two').replaceAll('"', '')
      renameSync(
        join(uploadsDir(), upload.uploadId),
        join(uploadsDir(), `${upload.uploadId}.${name}.inprogress`),
      )
      expect((await complete(upload, last)).etag).toBe(etagOf('two'))
      expect((await read(t, upload)).bytes.toString()).toBe('two')
    }
    // One that died after it had published: nothing is published again.
    const upload = await begin()
    const parts = [listed(1, await sendPart(upload, 1, 'one'))]
    const completed = await complete(upload, parts)
    const { lastModifiedMs } = (await read(t, upload)).head
    mkdirSync(
      join(uploadsDir(), `${upload.uploadId}.${etagOf('one').replaceAll('"', '')}.inprogress`),
      { recursive: true },
    )
    expect(await complete(upload, parts)).toEqual(completed)
    expect((await read(t, upload)).head.lastModifiedMs).toBe(lastModifiedMs)
    expect(strayFiles(at())).toEqual(['dir/', 'dir/object'])
  })

  test('a failed completion gives the upload back, whatever call fails', async () => {
    const upload = await begin()
    const parts = [
      listed(1, await sendPart(upload, 1, someBytes(MIN))),
      listed(2, await sendPart(upload, 2, 'end')),
    ]
    let failures = 0
    for (let after = 0; after < 60; after++) {
      t.io.faults.set({ errno: 5, after, times: 1 })
      const outcome = await complete(upload, parts).then(
        () => 'ok',
        (error: unknown) => error,
      )
      t.io.faults.clear()
      if (existsSync(at(KEY))) break
      if (outcome !== 'ok') failures++
      const names = readdirSync(uploadsDir())
      expect(names).toHaveLength(1)
      expect(names[0]?.startsWith(upload.uploadId)).toBe(true)
      expect(readdirSync(join(uploadsDir(), names[0] ?? '')).sort()).toEqual(['1', '2'])
    }
    expect(failures).toBeGreaterThan(5)
    await complete(upload, parts)
    expect((await read(t, upload)).head.size).toBe(MIN + 3)
    expect(strayFiles(at())).toEqual(['dir/', 'dir/object'])
  })

  test('where parts end is left out where the file system has no room for it', async () => {
    let wasLeftOut = 0
    for (let after = 0; after < 12; after++) {
      const upload = await begin()
      const parts = [listed(1, await sendPart(upload, 1, 'only'))]
      t.io.faults.set({ errno: constants.errno.ENOSPC, call: 'fsetxattr', after, times: 1 })
      const outcome = await complete(upload, parts).catch((error: unknown) => error)
      t.io.faults.clear()
      const completed = await complete(upload, parts)
      if (outcome instanceof Error) continue
      expect(outcome).toEqual(completed)
      if ((await read(t, upload)).head.partEnds === undefined) wasLeftOut++
    }
    expect(wasLeftOut).toBe(1)
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

  test('the trace of a completion (trace contract 3.4)', async () => {
    const upload = await begin()
    const first = await sendPart(upload, 1, someBytes(MIN))
    const parts = [listed(1, first), listed(2, await sendPart(upload, 2, 'x'))]
    const call = newCall()
    await complete(upload, parts, {}, call)
    const tree = spanTree(call.span).map((line) => line.replace('Posix.IO.', ''))
    const part = ['  CopyPart', '    FastFileCopy', '      CopyFileRange']
    expect(tree.slice(tree.indexOf('OpenTmpFile'))).toEqual([
      'OpenTmpFile',
      'AssembleParts',
      ...part,
      ...part,
      'WriteMetadata',
      'MakeParents',
      'LinkFile',
      'OpenFile',
      'OpenFile',
      'RemoveFile',
      'OpenFile',
      'RemoveFile',
      'OpenFile',
      'OpenFile',
      'RemoveFile',
    ])
    const range = call.recorder.spans.find(({ name }) => name === 'Posix.IO.CopyFileRange')
    expect(range?.attributes).toMatchObject({
      'posix.bytes_copied': MIN,
      'posix.used_fallback': false,
    })
    const copyPart = call.recorder.spans.find(({ name }) => name === 'Posix.IO.CopyPart')
    expect(copyPart?.attributes).toMatchObject({
      'posix.part_number': 1,
      'posix.part_size': MIN,
      'posix.copy_method': 'copy_file_range',
    })
    expectInside(call.recorder.spans)
  })
})

function expectInside(spans: readonly Span[]): void {
  for (const { startNs, endNs, parent } of spans) {
    if (parent === undefined || parent.endNs === 0) continue
    expect(endNs).toBeGreaterThan(0)
    expect(startNs).toBeGreaterThanOrEqual(parent.startNs)
    expect(endNs).toBeLessThanOrEqual(parent.endNs)
  }
}

describe('a thousand parts', () => {
  const mount = mountFileSystem('xfs')
  if (typeof mount === 'string') {
    test.skip(mount)
    return
  }
  afterAll(() => mount.unmount())

  test('on a file system that shares extents: at once, each with its span and its event, cumulative', async () => {
    const root = join(mount.path, 'root')
    mkdirSync(root)
    const shared = await openBackend({ root })
    await makeBucket(shared.backend)
    const ref = { bucket: BUCKET, key: KEY }
    const all: NewUpload = { headers: {}, userMetadata: {}, tags: undefined, checksum: undefined }
    const upload = { ...ref, ...(await shared.backend.createUpload(ref, all, newCall())) }
    const bytes = someBytes(MIN)
    const first = await shared.backend.uploadPart(
      { ...upload, partNumber: 1 },
      payloadOf(bytes),
      undefined,
      newCall(),
    )
    // Other names of one file stand in for parts that were sent: five gigabytes are too many for a test.
    const dir = join(root, BUCKET, '.sgwtmp', 'multipart', hashed(KEY), upload.uploadId)
    for (let i = 2; i <= 1000; i++) linkSync(join(dir, '1'), join(dir, String(i)))
    const parts = Array.from({ length: 1000 }, (_, i) => listed(i + 1, first))
    const call = newCall()
    const started = Date.now()
    const completed = await shared.backend.completeUpload(
      upload,
      {
        parts,
        checksumType: undefined,
        checksum: undefined,
        objectSize: 1000 * MIN,
        precondition: {},
      },
      call,
    )
    expect(Date.now() - started).toBeLessThan(5000)
    expect(completed.etag).toBe(etagOf(...Array<Buffer>(1000).fill(bytes)))

    const assemble = call.recorder.spans.find(({ name }) => name === 'Posix.IO.AssembleParts')
    expect(assemble?.parent).toBe(call.span)
    expect(assemble?.attributes).toMatchObject({
      'posix.total_parts': 1000,
      'posix.total_size': 1000 * MIN,
    })
    expect(assemble?.events?.map(({ name, attributes }) => ({ name, ...attributes }))).toEqual(
      parts.map((_, i) => ({
        name: 'part_assembled',
        current_part: i + 1,
        bytes_copied: (i + 1) * MIN,
      })),
    )
    const copies = call.recorder.spans.filter(({ parent }) => parent === assemble)
    expect(new Set(copies.map(({ name }) => name))).toEqual(new Set(['Posix.IO.CopyPart']))
    expect(
      copies.map(({ attributes }) => [
        attributes['posix.part_number'],
        attributes['posix.copy_method'],
      ]),
    ).toEqual(parts.map((_, i) => [i + 1, 'reflink']))
    expectInside(call.recorder.spans)
    const got = await read(shared, ref, { offset: 999 * MIN, length: MIN })
    expect(got.bytes.equals(bytes)).toBe(true)
    expect(got.head.partEnds).toHaveLength(1000)
    await shared.close()
  })
})
