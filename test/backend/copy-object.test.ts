import { statSync, utimesSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CopiedObject, CopyTarget } from '../../src/backend/backend.ts'
import { checksum } from '../support/checksums.ts'
import { attributesOf, setAttribute, strayFiles } from '../support/tree.ts'
import {
  codeOf,
  makeBucket,
  md5,
  newCall,
  openBackend,
  put,
  read,
  someBytes,
  spanTree,
  type TestBackend,
} from './support.ts'

const BUCKET = 'bucket'

describe.each([
  { name: 'in the kernel', useCopyFileRange: true },
  { name: 'by reading and writing', useCopyFileRange: false },
])('CopyObject $name', (options) => {
  let t: TestBackend
  beforeEach(async () => {
    t = await openBackend(options)
    await makeBucket(t.backend)
  })
  afterEach(() => t.close())
  const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
  const key = (name: string): { bucket: string; key: string } => ({ bucket: BUCKET, key: name })

  function copy(
    from: string,
    to: string,
    target: Partial<CopyTarget> = {},
    call = newCall(),
  ): Promise<CopiedObject> {
    const source = { ...key(from), check: () => undefined }
    const object: CopyTarget = {
      metadata: 'COPY',
      tags: 'COPY',
      checksum: undefined,
      precondition: {},
      ...target,
    }
    return t.backend.copyObject(source, key(to), object, call)
  }

  test.each([0, 5000, 3_000_000])(
    '%i bytes, with everything that the source says of itself',
    async (size) => {
      const bytes = someBytes(size)
      const written = await put(t.backend, key('a/source'), bytes, {
        headers: { contentType: 'text/x', expires: 'soon', websiteRedirectLocation: '/away' },
        userMetadata: { m: '1' },
        tags: { t: '1' },
        checksum: 'CRC32C',
      })
      const copied = await copy('a/source', 'b/target')
      expect(copied).toMatchObject({ etag: written.etag, checksum: written.checksum })
      const { head, bytes: read1 } = await read(t, key('b/target'))
      expect(read1.equals(bytes)).toBe(true)
      expect(head.lastModifiedMs).toBe(copied.lastModifiedMs)
      const { 'website-redirect-location': redirect, ...kept } = attributesOf(at('a/source'))
      expect(redirect).toBe('/away')
      expect(attributesOf(at('b/target'))).toEqual(kept)
      expect(strayFiles(at())).toEqual(['a/', 'a/source', 'b/', 'b/target'])
    },
  )

  test('REPLACE takes what the request says', async () => {
    await put(t.backend, key('source'), 'hello', {
      userMetadata: { m: '1' },
      tags: { t: '1' },
      headers: { contentType: 'text/x' },
    })
    await copy('source', 'target', {
      metadata: { headers: { contentLanguage: 'de' }, userMetadata: { n: '2' } },
      tags: { tags: { u: '2' } },
      checksum: 'SHA1',
    })
    expect(attributesOf(at('target'))).toMatchObject({
      'content-type': 'binary/octet-stream',
      'content-language': 'de',
      metadata: '{"n":"2"}',
      'X-Amz-Tagging': '{"u":"2"}',
    })
    expect((await read(t, key('target'))).head.checksum).toEqual({
      algorithm: 'SHA1',
      type: 'FULL_OBJECT',
      value: checksum('SHA1', 'hello'),
    })
  })

  test.each([1000, 2_000_000])(
    'the sums are those of the bytes, whatever the source says of them (%i bytes)',
    async (size) => {
      const bytes = someBytes(size)
      // A source that was changed behind the gateway's back.
      await put(t.backend, key('edited'), someBytes(size, 2))
      await new Promise((resolve) => setTimeout(resolve, 20))
      writeFileSync(at('edited'), bytes)
      // One without attributes, and one whose ETag is that of an upload in parts.
      writeFileSync(at('foreign'), bytes)
      await put(t.backend, key('parts'), bytes)
      setAttribute(at('parts'), 'etag', `"${md5('x')}-2"`)
      for (const name of ['edited', 'foreign', 'parts']) {
        const copied = await copy(name, `copy-of-${name}`)
        expect(copied.etag).toBe(`"${md5(bytes)}"`)
        expect(copied.checksum?.value).toBe(checksum('CRC64NVME', bytes))
      }
    },
  )

  test('a large object that is as the gateway left it is not read', async () => {
    const bytes = someBytes(2_000_000)
    const written = await put(t.backend, key('source'), bytes)
    // As if the write had taken longer than a tick of the clock: see reusableSums.
    const { mtimeMs } = statSync(at('source'))
    utimesSync(at('source'), mtimeMs / 1000 - 1, mtimeMs / 1000 - 1)
    const call = newCall()
    const copied = await copy('source', 'target', {}, call)
    expect(copied).toMatchObject({ etag: written.etag, checksum: written.checksum })
    expect((await read(t, key('target'))).bytes.equals(bytes)).toBe(true)
    const fast = call.recorder.spans.find((span) => span.name === 'Posix.IO.FastFileCopy')
    expect(['reflink', 'copy_file_range', 'io_copy_fallback']).toContain(
      fast?.attributes['posix.copy_method'],
    )
    expect(fast?.parent).toBe(call.span)
    const tree = spanTree(call.span).map((line) => line.replace('Posix.IO.', ''))
    expect(tree.slice(tree.indexOf('OpenTmpFile'))).toEqual(
      fast?.attributes['posix.copy_method'] === 'reflink'
        ? ['OpenTmpFile', 'FastFileCopy', 'WriteMetadata', 'LinkFile']
        : ['OpenTmpFile', 'FastFileCopy', '  CopyFileRange', 'WriteMetadata', 'LinkFile'],
    )
  })

  test('a copy that breaks off tells its errno (trace contract 3.4)', async () => {
    await put(t.backend, key('source'), someBytes(3_000_000))
    const call = newCall()
    t.io.faults.set({ errno: constants.errno.ENOSPC, call: 'pwritev', times: 1 })
    expect(await codeOf(copy('source', 'target', { checksum: 'SHA256' }, call))).toBe(
      'InsufficientStorage',
    )
    t.io.faults.clear()
    const fast = call.recorder.spans.find(({ name }) => name === 'Posix.IO.FastFileCopy')
    expect(fast?.parent).toBe(call.span)
    expect(fast?.failure).toEqual({ type: 'ENOSPC', message: 'pwritev: ENOSPC' })
    expect(fast?.endNs).toBeGreaterThan(0)
  })

  test('conditions on source and target', async () => {
    await put(t.backend, key('source'), 'x')
    await put(t.backend, key('target'), 'y')
    const source = {
      ...key('source'),
      check: () => {
        throw new Error('source refused')
      },
    }
    const object: CopyTarget = {
      metadata: 'COPY',
      tags: 'COPY',
      checksum: undefined,
      precondition: {},
    }
    await expect(t.backend.copyObject(source, key('new'), object, newCall())).rejects.toThrow(
      'source refused',
    )
    expect(await codeOf(copy('source', 'target', { precondition: { ifNoneMatch: '*' } }))).toBe(
      'PreconditionFailed',
    )
    expect(await codeOf(copy('source', 'target', { precondition: { ifMatch: 'no' } }))).toBe(
      'PreconditionFailed',
    )
    await copy('source', 'target', { precondition: { ifMatch: md5('y') } })
    expect(await codeOf(copy('none', 'new'))).toBe('NoSuchKey')
    expect(await codeOf(copy('source', 'source/below'))).toBe('ObjectParentIsFile')
    expect(strayFiles(at())).toEqual(['source', 'target'])
  })

  test('onto itself: only with REPLACE, and only what describes it changes (contract 3.5; 9.2, 3)', async () => {
    const bytes = someBytes(1_500_000)
    const written = await put(t.backend, key('k'), bytes, {
      userMetadata: { old: '1' },
      tags: { t: '1' },
      headers: { contentLanguage: 'de' },
    })
    const before = statSync(at('k'))
    expect(await codeOf(copy('k', 'k'))).toBe('InvalidRequest')
    const metadata = { headers: { contentType: 'text/new' }, userMetadata: { new: '2' } }
    const copied = await copy('k', 'k', { metadata })
    expect(copied).toMatchObject({
      etag: written.etag,
      checksum: written.checksum,
      lastModifiedMs: Math.floor(before.mtimeMs),
    })
    expect(attributesOf(at('k'))).toMatchObject({
      metadata: '{"new":"2"}',
      'content-type': 'text/new',
      'X-Amz-Tagging': '{"t":"1"}',
    })
    expect(Object.keys(attributesOf(at('k')))).not.toContain('content-language')
    expect(statSync(at('k'))).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs })

    const sha = await copy('k', 'k', { metadata, tags: { tags: undefined }, checksum: 'SHA256' })
    expect(sha.checksum).toEqual({
      algorithm: 'SHA256',
      type: 'FULL_OBJECT',
      value: checksum('SHA256', bytes),
    })
    expect((await read(t, key('k'))).head).toMatchObject({ checksum: sha.checksum, tagCount: 0 })
    expect(await codeOf(copy('k', 'k', { metadata, precondition: { ifMatch: 'no' } }))).toBe(
      'PreconditionFailed',
    )
  })

  test('directory objects are copied (contract 9.2, 11)', async () => {
    await put(t.backend, key('d/'), '', { userMetadata: { m: '1' } })
    const copied = await copy('d/', 'e/')
    expect(copied.etag).toBe(`"${md5('')}"`)
    expect((await read(t, key('e/'))).head).toMatchObject({
      userMetadata: { m: '1' },
      headers: { contentType: 'application/x-directory' },
    })
    await copy('d/', 'file')
    expect((await read(t, key('file'))).bytes).toHaveLength(0)
    await copy('file', 'f/')
    await put(t.backend, key('data'), 'data')
    expect(await codeOf(copy('data', 'g/'))).toBe('DirectoryObjectContainsData')
    await copy('d/', 'd/', { metadata: { headers: {}, userMetadata: { n: '2' } } })
    expect({ ...(await read(t, key('d/'))).head.userMetadata }).toEqual({ n: '2' })
  })
})
