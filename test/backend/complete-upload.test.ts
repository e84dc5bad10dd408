import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { constants } from 'node:os'
import { execFileSync } from 'node:child_process'
import { gunzipSync } from 'node:zlib'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CompletedPart, Completion } from '../../src/backend/backend.ts'
import { checksum } from '../support/checksums.ts'
import { attributesOf, strayFiles } from '../support/tree.ts'
import { codeOf, md5, newCall, openBackend, put, read, someBytes } from './support.ts'
import { KEY, MIN, etagOf, listed, useUploads } from './uploads.ts'

describe('CompleteMultipartUpload', () => {
  const { t, at, uploadsDir, begin, sendPart, complete } = useUploads()

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
      // Ours, of a request that is traced: VersityGW does not look at it.
      'vgw-ts-created-by': expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/) as string,
    })
    const bytes = [someBytes(MIN, 1), Buffer.from('the end')]
    const parts = [
      listed(2, await sendPart(upload, 2, bytes[0] ?? '')),
      listed(7, await sendPart(upload, 7, bytes[1] ?? '')),
    ]
    expect(attributesOf(join(uploadsDir(), upload.uploadId, '7'))).toEqual({
      etag: `"${md5('the end')}"`,
      'part-crc64nvme': checksum('CRC64NVME', 'the end'),
    })
    const completed = await complete(upload, parts)
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
})
