import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { mountFileSystem } from '../native/loop-mount.ts'
import { checksum, md5Hex } from '../support/checksums.ts'
import { startGateway, scratch } from '../support/gateway.ts'
import { useGateway } from '../support/fixture.ts'
import { expectGolden } from '../support/golden.ts'
import { MiB, startUpload } from '../support/multipart.ts'
import { foldedTree, spanNamed } from '../support/span-tree.ts'
import { useTracedGateway } from '../support/traced.ts'
import { attributesOf, registerSidecar, strayFiles, treeOf } from '../support/tree.ts'

const made: string[] = []
const newDirectory = (name: string): string => {
  const path = mkdtempSync(join(scratch(), name))
  made.push(path)
  return path
}
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true })
})

/** Contract 1.3 and 2.6. */
describe('--sidecar', () => {
  const sidecar = newDirectory('vgw-sidecar-')
  const at = useTracedGateway({ posixFlags: ['--sidecar', sidecar, '--durability', 'none'] })

  test('the start says so, in VersityGW’s words too', () => {
    expect(at.gateway.stdout).toContain(`Using sidecar directory for metadata: ${sidecar}`)
  })

  test('objects, documents and uploads are whole; the files have no attributes', async () => {
    const bucket = await at.bucket()
    const headers = { 'x-amz-meta-a': 'b', 'Content-Type': 'text/x', 'x-amz-tagging': 'k=v' }
    await at.send('PUT', `/${bucket}/dir/k`, { body: 'bytes', headers })
    const got = await at.send('GET', `/${bucket}/dir/k`)
    expect([got.text, got.header('content-type'), got.header('x-amz-meta-a')]).toEqual([
      'bytes',
      'text/x',
      'b',
    ])
    expect(got.header('x-amz-tagging-count')).toBe('1')
    expect(attributesOf(at.path(bucket, 'dir/k'))).toEqual({})
    registerSidecar(at.gateway.dir, sidecar)
    expect(attributesOf(at.path(bucket, 'dir/k'))['etag']).toBe(`"${md5Hex('bytes')}"`)

    await at.send('PUT', `/${bucket}/copy`, { headers: { 'x-amz-copy-source': `${bucket}/dir/k` } })
    expect((await at.send('HEAD', `/${bucket}/copy`)).header('x-amz-meta-a')).toBe('b')
    const body = Buffer.alloc(5 * MiB, 'p')
    const upload = await startUpload(at, [body, Buffer.from('end')], { bucket, key: 'mp' })
    expect((await upload.complete()).status).toBe(200)
    expect((await at.send('HEAD', `/${bucket}/mp`)).header('etag')).toMatch(/-2"$/)
    const acl = { headers: { 'x-amz-object-ownership': 'BucketOwnerPreferred' } }
    await at.send('PUT', `/${bucket}-2`, acl)
    expect((await at.send('GET', `/${bucket}-2?ownershipControls`)).status).toBe(200)
    for (const key of ['dir/k', 'copy', 'mp']) await at.send('DELETE', `/${bucket}/${key}`)
    for (const name of [bucket, `${bucket}-2`])
      expect((await at.send('DELETE', `/${name}`)).status).toBe(204)
    expect(treeOf(sidecar)).toEqual([])
  })

  test('the traces of PutObject, GetObject and DeleteObject', async () => {
    const bucket = await at.bucket()
    const sections: string[] = []
    for (const [method, options] of [
      ['PUT', { body: 'small' }],
      ['GET', {}],
      ['DELETE', {}],
    ] as const) {
      await at.send('PUT', `/${bucket}/k`, { body: 'first' })
      sections.push(foldedTree(await at.trace(await at.send(method, `/${bucket}/k`, options))))
    }
    expectGolden('traces/with-a-sidecar-directory.txt', `${sections.join('\n\n')}\n`)
    const spans = await at.trace(await at.send('HEAD', `/${bucket}/none`))
    expect(spans.length).toBeGreaterThan(0)
    await at.send('PUT', `/${bucket}/k`, { body: 'x' })
    const head = await at.trace(await at.send('HEAD', `/${bucket}/k`))
    expect(spanNamed(head, 'Posix.IO.ReadMetadata').attributes.get('posix.meta_store')).toBe(
      'sidecar',
    )
  })

  test.each([
    [
      'one within the served directory',
      (dir: string) => join(dir, 'in'),
      'sidecar directory cannot be inside the gateway root directory',
    ],
    [
      'one around it',
      (dir: string) => join(dir, '..'),
      'gateway root directory cannot be inside the sidecar directory',
    ],
    ['none', (dir: string) => join(dir, 'no'), 'failed to init sidecar metadata'],
  ])('%s is refused', async (_, place, message) => {
    const dir = join(newDirectory('vgw-refused-'), 'data')
    mkdirSync(join(dir, 'in'), { recursive: true })
    const start = startGateway({ dir, posixFlags: ['--sidecar', place(dir)] })
    await expect(start).rejects.toThrow(message)
  })

  test('and --nometa exclude each other', async () => {
    const start = startGateway({ posixFlags: ['--nometa', '--sidecar', sidecar] })
    await expect(start).rejects.toThrow('cannot use both nometa and sidecar metadata')
  })
})

/** Contract 2.6: "attribute writes are dropped, every read says "not found"". On a file system that has none. */
describe('--nometa', () => {
  const mount = mountFileSystem('ramfs')
  if (typeof mount === 'string') {
    test.skip(mount)
    return
  }
  afterAll(() => mount.unmount())
  const at = useGateway(() => ({
    dir: mount.path,
    posixFlags: ['--nometa', '--default-etag', 'none'],
  }))

  test('bytes are kept, and nothing of what is said about them', async () => {
    const bucket = await at.bucket()
    const headers = { 'x-amz-meta-a': 'b', 'Content-Type': 'text/x', 'x-amz-tagging': 'k=v' }
    const put = await at.send('PUT', `/${bucket}/dir/k`, { body: 'bytes', headers })
    expect([put.status, put.header('etag')]).toEqual([200, `"${md5Hex('bytes')}"`])
    expect(put.header('x-amz-checksum-crc64nvme')).toBe(checksum('CRC64NVME', 'bytes'))
    const got = await at.send('GET', `/${bucket}/dir/k`)
    expect([got.text, got.header('content-type')]).toEqual(['bytes', 'text/plain; charset=utf-8'])
    expect([got.header('etag'), got.header('x-amz-meta-a')]).toEqual(['none', undefined])
    expect((await at.send('GET', `/${bucket}?list-type=2`)).element('ETag')).toBe('none')

    await at.send('PUT', `/${bucket}/marked/`)
    expect((await at.send('HEAD', `/${bucket}/marked/`)).status).toBe(404)
    const upload = await startUpload(at, [Buffer.from('part')], { bucket, key: 'mp' })
    expect((await at.send('GET', `/${bucket}?uploads`)).text).not.toContain('<Upload>')
    const completed = await upload.complete()
    expect([completed.status, completed.element('Code')]).toEqual([400, 'InvalidPart'])
    expect((await at.send('DELETE', upload.target())).status).toBe(204)
    await at.send('DELETE', `/${bucket}/dir/k`)
    expect(strayFiles(at.path(bucket))).toEqual(['marked/'])
  })
})

describe('--multipart-layout slots, --enable-odirect, --concurrency', () => {
  const at = useTracedGateway({
    posixFlags: ['--multipart-layout', 'slots', '--enable-odirect', '--concurrency', '2'],
  })

  test('an upload of equal parts is completed in place', async () => {
    const parts = ['a', 'b', 'c'].map((letter, i) => Buffer.alloc(i === 2 ? 1000 : 5 * MiB, letter))
    const upload = await startUpload(at, parts)
    const completed = await upload.complete()
    expect(completed.status).toBe(200)
    const spans = await at.trace(completed)
    const copies = spans.filter(({ name }) => name === 'Posix.IO.CopyPart')
    expect(copies.map(({ attributes }) => attributes.get('posix.copy_method'))).toEqual([
      'in_place',
      'in_place',
      'in_place',
    ])
    const got = await at.send('GET', `/${upload.bucket}/${upload.key}`)
    expect(got.body.equals(Buffer.concat(parts))).toBe(true)
    const range = await at.send('GET', `/${upload.bucket}/${upload.key}`, {
      headers: { Range: 'bytes=5242000-9000001' },
    })
    expect(range.body.equals(Buffer.concat(parts).subarray(5_242_000, 9_000_002))).toBe(true)
  })

  test('many at a time are served, two after two', async () => {
    const bucket = await at.bucket()
    const bodies = Array.from({ length: 12 }, (_, i) => Buffer.alloc(300_000 + i, `${i}`))
    await Promise.all(bodies.map((body, i) => at.send('PUT', `/${bucket}/${i}`, { body })))
    const answers = await Promise.all(bodies.map((_, i) => at.send('GET', `/${bucket}/${i}`)))
    expect(answers.map(({ body }, i) => bodies[i]?.equals(body))).toEqual(bodies.map(() => true))
  })
})

describe('--disableotmp, --dir-perms, --disable-copy-file-range, --io-buffer-size, --default-etag', () => {
  const at = useTracedGateway({
    posixFlags: [
      '--disableotmp',
      '--disable-copy-file-range',
      '--dir-perms=0700',
      '--io-buffer-size=8192',
      '--default-etag=none',
    ],
    flags: ['--otel-depth', 'syscall'],
  })

  test('temporary files have names, and directories this mode', async () => {
    const bucket = `${await at.bucket()}-made`
    await at.send('PUT', `/${bucket}`)
    const spans = await at.trace(await at.send('PUT', `/${bucket}/a/b/k`, { body: 'x' }))
    const opened = spanNamed(spans, 'Posix.IO.OpenTmpFile').attributes
    expect(opened.get('posix.tmp_method')).toBe('named')
    expect(spanNamed(spans, 'Posix.IO.LinkFile').attributes.get('posix.link_method')).toBe('rename')
    for (const name of ['', 'a', 'a/b'])
      expect((statSync(at.path(bucket, name)).mode & 0o777).toString(8)).toBe('700')
    expect(strayFiles(at.path(bucket))).toEqual(['a/', 'a/b/', 'a/b/k'])
  })

  test('copies are read and written, as many bytes at a time as asked for', async () => {
    const bucket = await at.bucket()
    await at.send('PUT', `/${bucket}/k`, { body: Buffer.alloc(20_000, 'x') })
    const headers = { 'x-amz-copy-source': `${bucket}/k` }
    const spans = await at.trace(await at.send('PUT', `/${bucket}/copy`, { headers }))
    const names = spans.map(({ name }) => name)
    expect(names).not.toContain('Posix.Syscall.copy_file_range')
    expect(names).not.toContain('Posix.Syscall.ficlonerange')
    const reads = spans.filter(({ name }) => name === 'Posix.Syscall.pread')
    expect(reads.map(({ attributes }) => attributes.get('posix.bytes'))).toEqual([8192, 8192, 3616])
    expect(readFileSync(at.path(bucket, 'copy'))).toHaveLength(20_000)
  })

  test('a file without an ETag has this one', async () => {
    const bucket = await at.bucket()
    writeFileSync(at.path(bucket, 'by-hand'), 'x')
    symlinkSync('by-hand', at.path(bucket, 'link'))
    expect((await at.send('HEAD', `/${bucket}/by-hand`)).header('etag')).toBe('none')
    expect((await at.send('HEAD', `/${bucket}/link`)).status).toBe(404)
  })
})
