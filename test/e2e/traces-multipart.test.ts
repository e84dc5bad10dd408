import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checksum, md5Base64, md5Hex } from '../support/checksums.ts'
import { mountFileSystem, type FileSystem } from '../support/file-systems.ts'
import { completeXml, MiB, startUpload, type Upload } from '../support/multipart.ts'
import type { ReceivedSpan } from '../support/otlp-protobuf.ts'
import { buildTree, foldedTree, isWhole, misplaced, spanNamed } from '../support/span-tree.ts'
import { findTool } from '../support/tools.ts'
import { traceIdOf, useTracedGateway } from '../support/traced.ts'

/**
 * Puts the parts of an upload where the contract (2.4) has them: sparse files with the attributes of parts that were sent.
 * A thousand of 5 MiB cost nothing so.
 */
function placeParts(
  bucketDir: string,
  { key, uploadId }: Upload,
  count: number,
  lastSize: number,
): string {
  const dir = join(
    bucketDir,
    '.sgwtmp/multipart',
    createHash('sha256').update(key).digest('hex'),
    uploadId,
  )
  const kinds = [5 * MiB, lastSize].map((size) => {
    const zeros = Buffer.alloc(size)
    return { size, etag: `"${md5Hex(zeros)}"`, crc: checksum('CRC64NVME', zeros) }
  })
  const parts = Array.from({ length: count }, (_, i) => ({
    number: i + 1,
    ...(kinds[i === count - 1 ? 1 : 0] ?? { size: 0, etag: '', crc: '' }),
  }))
  for (const { number, size } of parts) {
    writeFileSync(join(dir, String(number)), '')
    truncateSync(join(dir, String(number)), size)
  }
  const dump = parts.map(
    ({ number, etag, crc }) =>
      `# file: ${join(dir, String(number))}\nuser.etag="${etag.replaceAll('"', '\\"')}"\nuser.part-crc64nvme="${crc}"\n`,
  )
  execFileSync('setfattr', ['--restore=-'], { input: dump.join('\n') })
  return completeXml(parts)
}

describe('CompleteMultipartUpload in a trace (3.4)', () => {
  const at = useTracedGateway({ posixFlags: ['--durability', 'none'] })

  test('the tree as drawn', async () => {
    const upload = await startUpload(at, [Buffer.alloc(5 * MiB), Buffer.alloc(5 * MiB), 'tail'])
    const answer = await upload.complete()
    const spans = await at.trace(answer)
    expect(misplaced(spans)).toEqual([])
    const backend = buildTree(spans).children.find(
      ({ span }) => span.name === 'Backend.CompleteMultipartUpload',
    )
    expect(backend?.span.attributes.toObject()).toMatchObject({
      's3.upload_id': upload.uploadId,
      's3.part_count': 3,
      's3.bucket': upload.bucket,
      's3.key': 'k',
    })
    // All of 3.4: queue_ms on every file operation, bucket and object on every LinkFile, the claim's too.
    const io = spans.filter(({ name }) => name.startsWith('Posix.IO.'))
    for (const { name, status, attributes } of io) {
      expect([name, attributes.typeOf('posix.queue_ms')]).toEqual([name, 'double'])
      expect([name, status.code]).toEqual([name, 'UNSET'])
    }
    const links = io.filter(({ name }) => name === 'Posix.IO.LinkFile')
    expect(links.map(({ attributes }) => attributes.toObject())).toEqual([
      expect.objectContaining({
        'posix.dir': expect.stringMatching(`^${upload.bucket}/.sgwtmp/multipart/`) as string,
        'posix.bucket': upload.bucket,
        'posix.object': 'k',
        'posix.link_method': 'rename',
      }),
      expect.objectContaining({
        'posix.bucket': upload.bucket,
        'posix.object': 'k',
        'posix.link_method': 'linkat',
      }),
    ])
    const assemble = backend?.children.find(({ span }) => span.name === 'Posix.IO.AssembleParts')
    const total = 10 * MiB + 4
    expect(assemble?.span.attributes.toObject()).toMatchObject({
      'posix.total_parts': 3,
      'posix.total_size': total,
      'posix.duration_ms': expect.any(Number) as number,
      'posix.throughput_mbps': expect.any(Number) as number,
    })
    expect(
      assemble?.span.events.map(({ name, attributes }) => [name, attributes.toObject()]),
    ).toEqual([
      ['part_assembled', { current_part: 1, bytes_copied: 5 * MiB }],
      ['part_assembled', { current_part: 2, bytes_copied: 10 * MiB }],
      ['part_assembled', { current_part: 3, bytes_copied: total }],
    ])
    for (const [i, part] of (assemble?.children ?? []).entries()) {
      const { attributes, name } = part.span
      expect(name).toBe('Posix.IO.CopyPart')
      expect(attributes.toObject()).toMatchObject({
        'posix.part_number': i + 1,
        'posix.part_size': i === 2 ? 4 : 5 * MiB,
      })
      expect(attributes.get('posix.throughput_mbps')).toEqual(expect.any(Number))
      const method = attributes.get('posix.copy_method')
      const below = foldedTree([
        part.span,
        ...part.children.flatMap(({ span, children }) => [
          span,
          ...children.map((child) => child.span),
        ]),
      ])
      const kernelCopy = 'Posix.IO.CopyPart\n  Posix.IO.FastFileCopy\n    Posix.IO.CopyFileRange'
      expect([method, below]).toEqual([
        method,
        method === 'reflink' ? 'Posix.IO.CopyPart' : kernelCopy,
      ])
      const fast = part.children[0]?.span.attributes
      if (method !== 'reflink') {
        expect(fast?.get('posix.bytes_copied')).toBe(i === 2 ? 4 : 5 * MiB)
        expect(fast?.get('posix.throughput_mbps')).toEqual(expect.any(Number))
      }
      const copy = part.children[0]?.children[0]?.span.attributes.toObject()
      if (method !== 'reflink')
        expect(copy).toMatchObject({
          'posix.bytes_copied': i === 2 ? 4 : 5 * MiB,
          'posix.used_fallback': method === 'io_copy_fallback',
        })
    }
    expect(assemble?.children).toHaveLength(3)
  })

  test('without in-kernel copies it is told (copy_method)', async () => {
    const upload = await startUpload(slow, [Buffer.alloc(5 * MiB), 'tail'])
    const spans = await slow.trace(await upload.complete())
    const parts = spans.filter(({ name }) => name === 'Posix.IO.CopyPart')
    expect(parts.map(({ attributes }) => attributes.get('posix.copy_method'))).toEqual([
      'io_copy_fallback',
      'io_copy_fallback',
    ])
    expect(spanNamed(spans, 'Posix.IO.CopyFileRange').attributes.get('posix.used_fallback')).toBe(
      true,
    )
  })
  const slow = useTracedGateway({ posixFlags: ['--disable-copy-file-range'] })
})

describe('A thousand parts', () => {
  // 5 GiB: shared extents where a file system can be made that has them.
  let xfs: FileSystem | undefined
  beforeAll(() => {
    xfs = mountFileSystem('xfs', 12_000)
  })
  afterAll(() => xfs?.unmount())
  const at = useTracedGateway({ dir: () => xfs?.dir })

  test.skipIf(findTool('getfattr') === undefined)(
    'each has its span and its event, the bytes add up',
    async () => {
      const lastSize = 12_345
      const upload = await startUpload(at)
      const xml = placeParts(at.path(upload.bucket), upload, 1000, lastSize)
      const answer = await at.send('POST', upload.target(), { body: xml, timeoutMs: 120_000 })
      expect([answer.status, answer.code]).toEqual([200, undefined])
      const isPart = ({ name }: ReceivedSpan): boolean => name === 'Posix.IO.CopyPart'
      const spans = await at.receiver.waitForTrace(
        traceIdOf(answer),
        (found) => found.filter(isPart).length >= 1000 && isWhole(found),
        30_000,
      )
      expect(misplaced(spans)).toEqual([])
      const assemble = spanNamed(spans, 'Posix.IO.AssembleParts')
      const total = 999 * 5 * MiB + lastSize
      expect(statSync(at.path(upload.bucket, 'k')).size).toBe(total)
      expect(assemble.attributes.toObject()).toMatchObject({
        'posix.total_parts': 1000,
        'posix.total_size': total,
      })
      const expected = Array.from({ length: 1000 }, (_, i) => ({
        current_part: i + 1,
        bytes_copied: i === 999 ? total : (i + 1) * 5 * MiB,
      }))
      expect(assemble.events.map(({ attributes }) => attributes.toObject())).toEqual(expected)
      expect(assemble.events.every(({ name }) => name === 'part_assembled')).toBe(true)
      const parts = spans.filter(isPart)
      const numbers = parts.map(({ attributes }) => Number(attributes.get('posix.part_number')))
      expect(numbers.toSorted((a, b) => a - b)).toEqual(
        expected.map(({ current_part }) => current_part),
      )
      expect(parts.every(({ parentSpanId }) => parentSpanId === assemble.spanId)).toBe(true)
      const methods = new Set(parts.map(({ attributes }) => attributes.get('posix.copy_method')))
      if (xfs !== undefined) expect(methods).toEqual(new Set(['reflink']))
    },
    180_000,
  )
})

describe('Many small operations in one request', () => {
  const at = useTracedGateway({ posixFlags: ['--durability', 'none'] })

  test('DeleteObjects of 1,000 keys is not thousands of spans (3.4)', async () => {
    const bucket = await at.bucket()
    for (let i = 0; i < 1000; i++) writeFileSync(at.path(bucket, `k${i}`), 'x')
    const body = `<Delete>${Array.from({ length: 1000 }, (_, i) => `<Object><Key>k${i}</Key></Object>`).join('')}</Delete>`
    const answer = await at.send('POST', `/${bucket}?delete`, {
      body,
      headers: { 'Content-MD5': md5Base64(body) },
    })
    expect(answer.status).toBe(200)
    const spans = await at.trace(answer)
    expect(spans.length).toBeLessThan(100)
  })

  test('a listing of 1,000 keys has few spans', async () => {
    const bucket = await at.bucket()
    for (let i = 0; i < 1000; i++) writeFileSync(at.path(bucket, `k${i}`), 'x')
    const spans = await at.trace(await at.send('GET', `/${bucket}?list-type=2`))
    expect(spans.length).toBeLessThan(20)
    const { attributes } = spanNamed(spans, 'Posix.IO.ListDir')
    expect([attributes.get('posix.entries'), attributes.typeOf('posix.pages')]).toEqual([
      1000,
      'int',
    ])
    const batches = spans.filter(({ name }) => name === 'Posix.IO.StatBatch')
    expect(batches.reduce((sum, span) => sum + Number(span.attributes.get('posix.count')), 0)).toBe(
      1000,
    )
  })
})
