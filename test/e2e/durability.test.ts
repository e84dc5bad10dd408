import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { connect, useGateway, type Fixture } from '../support/fixture.ts'
import { scratch, startGateway } from '../support/gateway.ts'
import { MiB, startUpload } from '../support/multipart.ts'
import { findTool } from '../support/tools.ts'
import { strayFiles } from '../support/tree.ts'

const strace = findTool('strace')
const out = mkdtempSync(join(scratch(), 'vgw-strace-'))
afterAll(() => rmSync(out, { recursive: true, force: true }))

/** A gateway under strace that writes down what it does to names and to the disk. */
function useStraced(mode: 'full' | 'none'): {
  at: Fixture
  calls: (work: () => Promise<unknown>) => Promise<string[]>
} {
  const log = join(out, mode)
  const CALLS =
    'fsync,fdatasync,sync_file_range,syncfs,sync,linkat,link,renameat2,renameat,rename,unlinkat,unlink,mkdirat,mkdir,fsetxattr,setxattr'
  const at = useGateway({
    posixFlags: ['--durability', mode],
    command: [
      strace ?? '',
      '-D',
      '-f',
      '-qq',
      '-y',
      '-e',
      `trace=${CALLS}`,
      '-o',
      log,
      process.execPath,
    ],
  })
  return {
    at,
    async calls(work) {
      const before = await settled(log)
      await work()
      await settled(log)
      const lines = readFileSync(log, 'utf8').slice(before).split('\n')
      return lines.map((line) => simplify(line, at.gateway.dir)).filter((line) => line !== '')
    },
  }
}

/** How long a file is once it has not grown for a while. */
async function settled(file: string): Promise<number> {
  for (let before = -1; ; await delay(300)) {
    const { length } = readFileSync(file, 'utf8')
    if (length === before) return length
    before = length
  }
}

/** `fsync file`, `fsync dir bucket/dir`, `linkat bucket/key`: without numbers that differ from run to run. */
function simplify(line: string, root: string): string {
  const [, call = '', rest = ''] = /^\d+\s+(\w+)\((.*)$/.exec(line) ?? []
  if (call === '' || !rest.includes(root) || rest.includes('EEXIST')) return ''
  const paths = [...rest.matchAll(/<([^>]*)>/g)].map(([, path = '']) =>
    path.replace(root, '').replace(/^\//, ''),
  )
  const [path = ''] = paths
  const isTemporary = /\.sgwtmp\/#\d+ \(deleted\)|#\d+/.test(path)
  if (call === 'fsync' || call === 'fdatasync')
    return `${call} ${isTemporary ? 'file' : path === '' ? 'root' : path}`
  if (call === 'fsetxattr') return isTemporary ? 'fsetxattr file' : `fsetxattr ${path}`
  const names = [...rest.matchAll(/"([^"]*)"/g)].map(([, name = '']) => name)
  return `${call} ${paths.at(-1) ?? ''}/${names.at(-1) ?? ''}`.replaceAll(/[0-9a-f]{16,}/g, 'HEX')
}

describe.skipIf(strace === undefined)(
  'System calls of --durability full (design 3: file, new directories, the directory of the target)',
  () => {
    const { at, calls } = useStraced('full')
    const syncsOf = (lines: string[]): string[] =>
      lines.filter((line) => /^f(data)?sync /.test(line))

    test('PutObject', async () => {
      const bucket = await at.bucket()
      await at.send('PUT', `/${bucket}/first`, { body: 'x' })
      const lines = await calls(() => at.send('PUT', `/${bucket}/k`, { body: 'x' }))
      expect(lines.map((line) => line.replaceAll(bucket, 'B'))).toEqual([
        'fsetxattr file',
        'fsetxattr file',
        'fsetxattr file',
        'fsync file',
        'linkat B/k',
        'fsync B',
      ])
    })

    test('PutObject below directories that are new: each parent of a new one', async () => {
      const bucket = await at.bucket()
      await at.send('PUT', `/${bucket}/first`, { body: 'x' })
      const syncs = syncsOf(
        await calls(() => at.send('PUT', `/${bucket}/a/b/k`, { body: 'x' })),
      ).map((line) => line.replaceAll(bucket, 'B'))
      expect(new Set(syncs)).toEqual(new Set(['fsync file', 'fsync B', 'fsync B/a', 'fsync B/a/b']))
    })

    test('an overwrite', async () => {
      const bucket = await at.bucket()
      for (let i = 0; i < 2; i++) await at.send('PUT', `/${bucket}/k`, { body: 'x' })
      const lines = (await calls(() => at.send('PUT', `/${bucket}/k`, { body: 'y' }))).map((line) =>
        line.replaceAll(bucket, 'B'),
      )
      const order = lines.filter((line) => !line.startsWith('fsetxattr'))
      expect(order[0]).toBe('fsync file')
      expect(order.filter((line) => line.startsWith('rename'))).toHaveLength(1)
      expect(order.at(-1)).toBe('fsync B')
    })

    test('DeleteObject', async () => {
      const bucket = await at.bucket()
      await at.send('PUT', `/${bucket}/k`, { body: 'x' })
      const lines = await calls(() => at.send('DELETE', `/${bucket}/k`))
      expect(lines.map((line) => line.replaceAll(bucket, 'B'))).toEqual(['unlinkat B/k', 'fsync B'])
    })

    test('DeleteObject that empties directories: the one that stays', async () => {
      const bucket = await at.bucket()
      await at.send('PUT', `/${bucket}/a/b/k`, { body: 'x' })
      const lines = (await calls(() => at.send('DELETE', `/${bucket}/a/b/k`))).map((line) =>
        line.replaceAll(bucket, 'B'),
      )
      expect(lines.at(-1)).toBe('fsync B')
      expect(lines.filter((line) => line.startsWith('unlinkat'))).toHaveLength(3)
    })

    test('CreateBucket and DeleteBucket: the root', async () => {
      const lines = await calls(() => at.send('PUT', '/new-bucket'))
      const created = lines.filter((line) => /^(?:fsync|rename)/.test(line))
      // Whole and on disk before it has its name, and then the name.
      expect(created.map((line) => line.replaceAll(/\.sgwtmp\.[0-9a-f]{24}/g, 'T'))).toEqual([
        'fsync T',
        'renameat2 /new-bucket',
        'fsync root',
      ])
      const deleted = syncsOf(await calls(() => at.send('DELETE', '/new-bucket')))
      expect(deleted).toEqual(['fsync root'])
    })

    test('UploadPart and CompleteMultipartUpload', async () => {
      const upload = await startUpload(at, [Buffer.alloc(5 * MiB)])
      const part = syncsOf(await calls(() => upload.part(2, 'tail')))
      expect(part[0]).toBe('fsync file')
      expect(part[1]).toMatch(/^fsync b-\w+\/\.sgwtmp\/multipart\/\w+\/[\w-]+$/)
      expect(part).toHaveLength(2)
      const complete = await calls(() => upload.complete())
      const syncs = syncsOf(complete)
      expect(syncs).toContain('fsync file')
      expect(syncs).toContain(`fsync ${upload.bucket}`)
      // The object is on disk before anything of the upload goes.
      const lastSync = complete.lastIndexOf(`fsync ${upload.bucket}`)
      expect(complete.findIndex((line) => line.startsWith('unlinkat'))).toBeGreaterThan(lastSync)
    })

    test('CopyObject, also onto itself', async () => {
      const bucket = await at.bucket()
      await at.send('PUT', `/${bucket}/k`, { body: 'x' })
      const copy = syncsOf(
        await calls(() =>
          at.send('PUT', `/${bucket}/copy`, { headers: { 'x-amz-copy-source': `${bucket}/k` } }),
        ),
      )
      expect(copy).toEqual(['fsync file', `fsync ${bucket}`])
      const headers = {
        'x-amz-copy-source': `${bucket}/k`,
        'x-amz-metadata-directive': 'REPLACE',
        'x-amz-meta-a': '1',
      }
      const self = syncsOf(await calls(() => at.send('PUT', `/${bucket}/k`, { headers })))
      expect(self.length).toBeGreaterThanOrEqual(1)
    })
  },
)

describe.skipIf(strace === undefined)('System calls of --durability none', () => {
  const { at, calls } = useStraced('none')
  // sync_file_range may be there: it begins to write parts back and waits for nothing.
  test('nothing waits for the disk', async () => {
    const bucket = await at.bucket()
    const lines = await calls(async () => {
      await at.send('PUT', '/another-bucket')
      await at.send('PUT', `/${bucket}/a/b/k`, { body: randomBytes(2 * MiB) })
      await at.send('PUT', `/${bucket}/copy`, {
        headers: { 'x-amz-copy-source': `${bucket}/a/b/k` },
      })
      const upload = await startUpload(at, [Buffer.alloc(5 * MiB), 'tail'], { bucket, key: 'mp' })
      await upload.complete()
      await at.send('DELETE', `/${bucket}/a/b/k`)
      await at.send('DELETE', '/another-bucket')
    })
    expect(lines.length).toBeGreaterThan(5)
    expect(lines.filter((line) => /^(fsync|fdatasync|syncfs|sync) /.test(line))).toEqual([])
  })
})

describe('An overwrite is atomic', () => {
  const at = useGateway()

  test('readers see one version, whole, whatever is written and removed meanwhile', async () => {
    const bucket = await at.bucket()
    const versions = [randomBytes(3 * MiB), randomBytes(70_000), randomBytes(1_500_000)]
    const digests = new Map(
      versions.map((body) => [createHash('sha256').update(body).digest('hex'), body.length]),
    )
    const etags = new Set(
      versions.map((body) => `"${createHash('md5').update(body).digest('hex')}"`),
    )
    await at.send('PUT', `/${bucket}/k`, { body: versions[0] ?? '' })
    const progress = { writing: true, reads: 0 }
    const writer = (async () => {
      for (let i = 0; i < 60 || progress.reads <= 20; i++) {
        const body = versions[i % versions.length] ?? ''
        expect(
          (await at.send('PUT', `/${bucket}/k`, { body, payloadHash: 'UNSIGNED-PAYLOAD' })).status,
        ).toBe(200)
      }
      progress.writing = false
    })()
    const reader = async (): Promise<void> => {
      while (progress.writing) {
        const { status, body, header } = await at.send('GET', `/${bucket}/k`)
        expect(status).toBe(200)
        expect(digests.get(createHash('sha256').update(body).digest('hex'))).toBe(body.length)
        expect(etags).toContain(header('etag'))
        expect(header('etag')).toBe(`"${createHash('md5').update(body).digest('hex')}"`)
        progress.reads++
      }
    }
    await Promise.all([writer, reader(), reader(), reader()])
    expect(strayFiles(at.path(bucket))).toEqual(['k'])
  })

  test('a reader that has begun keeps its version to the end', async () => {
    const bucket = await at.bucket()
    const old = randomBytes(30 * MiB)
    writeFileSync(at.path(bucket, 'k'), old)
    const reading = at.send('GET', `/${bucket}/k`)
    await delay(5)
    await at.send('PUT', `/${bucket}/k`, { body: 'new' })
    await at.send('DELETE', `/${bucket}/k`)
    const { body } = await reading
    expect(Buffer.compare(body, old) === 0 || body.toString() === 'new' || body.length < 1000).toBe(
      true,
    )
  })
})

describe('A gateway that is killed', () => {
  const dir = mkdtempSync(join(scratch(), 'vgw-killed-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('in the middle of uploads: old objects or new ones, whole, for the next', async () => {
    const body = randomBytes(20 * MiB)
    for (let round = 0; round < 3; round++) {
      await using first = await startGateway({ dir })
      mkdirSync(join(dir, 'bucket'), { recursive: true })
      const s3 = connect(first)
      await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: 'old' }))
      const uploads = Array.from({ length: 6 }, (_, i) =>
        s3
          .send(
            new PutObjectCommand({
              Bucket: 'bucket',
              Key: i % 2 === 0 ? 'k' : `new-${round}-${i}`,
              Body: body,
            }),
          )
          .catch(() => undefined),
      )
      await delay(40 + round * 60)
      await first.stop('SIGKILL')
      await Promise.all(uploads)
      s3.destroy()
      await using second = await startGateway({ dir })
      const next = connect(second)
      const { Contents = [] } = await next.send(new ListObjectsV2Command({ Bucket: 'bucket' }))
      for (const { Key = '', Size } of Contents) {
        const { Body, ETag } = await next.send(new GetObjectCommand({ Bucket: 'bucket', Key }))
        const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
        expect([Key, Size, ETag]).toEqual([
          Key,
          bytes.length,
          `"${createHash('md5').update(bytes).digest('hex')}"`,
        ])
        expect(bytes.toString().startsWith('old') || Buffer.compare(bytes, body) === 0).toBe(true)
      }
      expect(Contents.map(({ Key }) => Key)).toContain('k')
      next.destroy()
    }
  })
})
