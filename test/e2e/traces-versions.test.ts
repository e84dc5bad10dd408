import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { md5Base64 } from '../support/checksums.ts'
import type { Fixture } from '../support/fixture.ts'
import { put, small, type Kind } from '../support/golden-kinds.ts'
import { expectGolden } from '../support/golden.ts'
import { traceFile, treeOf } from '../support/golden-tree.ts'
import { memoryDir, useTracedGateway, type Traced, type TracedOptions } from '../support/traced.ts'

const base = mkdtempSync(join(memoryDir(), 'vgw-trace-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))

/** A gateway whose old versions lie on the file system that it serves. */
function useVersions(name: string, options: TracedOptions): Traced {
  const [data, versions] = [join(base, name, 'data'), join(base, name, 'versions')]
  for (const dir of [data, versions]) mkdirSync(dir, { recursive: true })
  const posixFlags = [...(options.posixFlags ?? []), '--versioning-dir', versions]
  return useTracedGateway({ ...options, dir: () => data, posixFlags })
}

const setVersioning = (at: Fixture, bucket: string, status: string) =>
  at.send('PUT', `/${bucket}?versioning`, {
    body: `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`,
  })

/** Two versions of `k`; gives back the id of the first. */
async function twoVersions(at: Fixture, bucket: string): Promise<string> {
  await setVersioning(at, bucket, 'Enabled')
  const first = await put(at, bucket, 'k')
  await put(at, bucket, 'k')
  return first.header('x-amz-version-id') ?? ''
}

const KINDS: readonly Kind[] = [
  {
    operation: 'PutBucketVersioning',
    request: async (_, bucket) => [
      'PUT',
      `/${bucket}?versioning`,
      { body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' },
    ],
  },
  {
    operation: 'GetBucketVersioning',
    request: async (_, bucket) => ['GET', `/${bucket}?versioning`],
  },
  {
    operation: 'PutObject of a version',
    async request(at, bucket) {
      await twoVersions(at, bucket)
      return ['PUT', `/${bucket}/k`, { body: small }]
    },
  },
  {
    operation: 'PutObject while versioning is suspended',
    async request(at, bucket) {
      await twoVersions(at, bucket)
      await setVersioning(at, bucket, 'Suspended')
      return ['PUT', `/${bucket}/k`, { body: small }]
    },
  },
  {
    operation: 'GetObject of the current version',
    async request(at, bucket) {
      await twoVersions(at, bucket)
      const current = await at.send('HEAD', `/${bucket}/k`)
      return ['GET', `/${bucket}/k?versionId=${current.header('x-amz-version-id')}`]
    },
  },
  {
    operation: 'GetObject of an old version',
    request: async (at, bucket) => [
      'GET',
      `/${bucket}/k?versionId=${await twoVersions(at, bucket)}`,
    ],
  },
  {
    operation: 'HeadObject of an old version',
    request: async (at, bucket) => [
      'HEAD',
      `/${bucket}/k?versionId=${await twoVersions(at, bucket)}`,
    ],
  },
  {
    operation: 'DeleteObject with a delete marker',
    status: 204,
    async request(at, bucket) {
      await twoVersions(at, bucket)
      return ['DELETE', `/${bucket}/k`]
    },
  },
  {
    operation: 'DeleteObject of an old version',
    status: 204,
    request: async (at, bucket) => [
      'DELETE',
      `/${bucket}/k?versionId=${await twoVersions(at, bucket)}`,
    ],
  },
  {
    operation: 'DeleteObject of the current version',
    status: 204,
    async request(at, bucket) {
      await twoVersions(at, bucket)
      const current = await at.send('HEAD', `/${bucket}/k`)
      return ['DELETE', `/${bucket}/k?versionId=${current.header('x-amz-version-id')}`]
    },
  },
  {
    operation: 'CopyObject of an old version',
    request: async (at, bucket) => {
      const id = await twoVersions(at, bucket)
      return [
        'PUT',
        `/${bucket}/copy`,
        { headers: { 'x-amz-copy-source': `${bucket}/k?versionId=${id}` } },
      ]
    },
  },
  {
    operation: 'PutObject where no bucket has versions yet',
    request: async (_, bucket, n) => ['PUT', `/${bucket}/new-${n}`, { body: small }],
  },
]

describe('Golden traces of versions', () => {
  const full = useVersions('full', {})
  const syscalls = useVersions('syscalls', {
    flags: ['--otel-depth', 'syscall'],
    posixFlags: ['--durability', 'none'],
  })

  test.each(KINDS.map((kind) => [kind.operation, kind] as const))('%s', async (operation, kind) => {
    const [durable, deep] = await Promise.all([treeOf(full, kind), treeOf(syscalls, kind)])
    const text = `durability full\n${durable}\n\ndurability none, depth syscall\n${deep}\n`
    expectGolden(traceFile(operation), text)
  })

  test('DeleteObjects of many versions: one span stands for most of them', async () => {
    const bucket = await full.bucket()
    await setVersioning(full, bucket, 'Enabled')
    const keys = Array.from({ length: 60 }, (_, i) => `k${i}`)
    await Promise.all(keys.map((key) => put(full, bucket, key)))
    const objects = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')
    const body = `<Delete>${objects}</Delete>`
    const headers = { 'Content-MD5': md5Base64(body) }
    const answer = await full.send('POST', `/${bucket}?delete`, { body, headers })
    expect(answer.elements('DeleteMarker')).toHaveLength(keys.length)
    const spans = await full.trace(answer)
    expect(spans.length).toBeLessThan(400)
    const counts = spans.map(({ attributes }) => attributes.get('posix.count'))
    expect(counts).toContain(keys.length - 16)
  })

  test('the root span tells the version, and the file operations which one they are about', async () => {
    const bucket = await full.bucket()
    const first = await twoVersions(full, bucket)
    const answer = await full.send('PUT', `/${bucket}/k`, { body: small })
    const spans = await full.trace(answer)
    const root = spans.find(({ name }) => name === 'S3.PutObject')
    expect(root?.attributes.get('s3.version_id')).toBe(answer.header('x-amz-version-id'))
    const links = spans.filter(({ name }) => name === 'Posix.IO.LinkFile')
    expect(links.map(({ attributes }) => typeof attributes.get('s3.version_id'))).toEqual([
      'string',
      'undefined',
    ])
    const read = await full.send('GET', `/${bucket}/k?versionId=${first}`)
    const got = (await full.trace(read)).find(({ name }) => name === 'S3.GetObject')
    expect(got?.attributes.get('s3.version_id')).toBe(first)
  })

  test.each([
    ['GET', '&tagging', 'S3.GetObjectTagging', 200],
    ['DELETE', '&tagging', 'S3.DeleteObjectTagging', 204],
    ['GET', '', 'S3.GetObject', 404],
    ['HEAD', '', 'S3.HeadObject', 404],
  ])(
    'the version that is asked for, whatever comes of it: %s%s',
    async (method, more, name, status) => {
      const bucket = await full.bucket()
      const first = await twoVersions(full, bucket)
      const versionId =
        status === 404 ? first.replace(/.$/, first.endsWith('0') ? '1' : '0') : first
      const answer = await full.send(method, `/${bucket}/k?versionId=${versionId}${more}`)
      expect(answer.status).toBe(status)
      const root = (await full.trace(answer)).find((span) => span.name === name)
      expect(root?.attributes.get('s3.version_id')).toBe(versionId)
    },
  )

  test('no version where an operation has none', async () => {
    const bucket = await full.bucket()
    const target = `/${bucket}/k?versionId=${await twoVersions(full, bucket)}&uploads`
    const spans = await full.trace(await full.send('POST', target))
    const root = spans.find(({ name }) => name === 'S3.CreateMultipartUpload')
    expect(root?.attributes.get('s3.version_id')).toBeUndefined()
  })
})
