import { linkSync, mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { NewUpload } from '../../src/backend/backend.ts'
import type { Span } from '../../src/trace/recorder.ts'
import { mountFileSystem } from '../native/loop-mount.ts'
import {
  codeOf,
  makeBucket,
  newCall,
  openBackend,
  payloadOf,
  read,
  someBytes,
  spanTree,
} from './support.ts'
import { BUCKET, KEY, MIN, etagOf, hashed, listed, useUploads } from './uploads.ts'

describe('the trace of CompleteMultipartUpload', () => {
  const uploads = useUploads()
  const { begin, sendPart, complete } = uploads

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
      'RemoveFile',
      'OpenFile',
      'RemoveFile',
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

  test('one that breaks off: the parts that were copied, and the one that was not, with its errno', async () => {
    const upload = await begin()
    const first = await sendPart(upload, 1, someBytes(MIN))
    const second = await sendPart(upload, 2, someBytes(MIN))
    const parts = [listed(1, first), listed(2, second), listed(3, await sendPart(upload, 3, 'x'))]
    const call = newCall()
    const { faults } = uploads.t.io
    faults.set({ errno: constants.errno.ENOSPC, call: 'copy_file_range', after: 1, times: 1 })
    expect(await codeOf(complete(upload, parts, {}, call))).toBe('InsufficientStorage')
    faults.clear()
    const failure = { type: 'ENOSPC', message: 'copy_file_range: ENOSPC' }
    const named = (name: string) => call.recorder.spans.filter((span) => span.name === name)
    const [assemble] = named('Posix.IO.AssembleParts')
    expect(assemble?.failure).toEqual(failure)
    expect(assemble?.events?.map(({ attributes }) => attributes)).toEqual([
      { current_part: 1, bytes_copied: MIN },
    ])
    expect(
      named('Posix.IO.CopyPart').map((span) => [
        span.attributes['posix.part_number'],
        span.failure,
      ]),
    ).toEqual([
      [1, undefined],
      [2, failure],
    ])
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
