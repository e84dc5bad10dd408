import { createHash } from 'node:crypto'
import { constants } from 'node:os'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { attributesOf, strayFiles } from '../support/tree.ts'
import { checksum } from '../support/checksums.ts'
import {
  BrokenBody,
  codeOf,
  makeBucket,
  md5,
  newCall,
  newObject,
  openBackend,
  payloadOf,
  put,
  read,
  someBytes,
  spanTree,
  type TestBackend,
} from './support.ts'

const BUCKET = 'bucket'

describe.each([
  { name: 'O_TMPFILE', useTmpFile: true, durability: 'none' as const },
  { name: 'O_TMPFILE, durable', useTmpFile: true, durability: 'full' as const },
  { name: 'named temporary files', useTmpFile: false, durability: 'none' as const },
])('PutObject with $name', (options) => {
  let t: TestBackend
  beforeEach(async () => {
    t = await openBackend(options)
    await makeBucket(t.backend)
  })
  afterEach(() => t.close())
  const at = (...names: string[]): string => join(t.root, BUCKET, ...names)
  const key = (name: string): { bucket: string; key: string } => ({ bucket: BUCKET, key: name })

  test.each([0, 1, 4096, 65_536, 65_537, 262_144, 262_145, 5_000_001])(
    '%i bytes come back as they were',
    async (size) => {
      const bytes = someBytes(size)
      const written = await put(t.backend, key('a/b'), bytes)
      expect(written).toMatchObject({ etag: `"${md5(bytes)}"`, size })
      expect(written.checksum).toEqual({
        algorithm: 'CRC64NVME',
        type: 'FULL_OBJECT',
        value: checksum('CRC64NVME', bytes),
      })
      const got = await read(t, key('a/b'))
      expect(got.bytes.equals(bytes)).toBe(true)
      expect(got.head).toMatchObject({ size, etag: written.etag, checksum: written.checksum })
      expect(strayFiles(at())).toEqual(['a/', 'a/b'])
    },
  )

  test('an object carries everything from the moment it is seen', async () => {
    await put(t.backend, key('k'), 'hello', {
      headers: {
        contentType: 'text/plain',
        cacheControl: 'no-store',
        websiteRedirectLocation: '/x',
      },
      userMetadata: { b: '<2>', a: '1' },
      tags: { t: 'é', s: '&' },
      checksum: 'SHA256',
    })
    expect(attributesOf(at('k'))).toEqual({
      etag: `"${md5('hello')}"`,
      'content-type': 'text/plain',
      'cache-control': 'no-store',
      'website-redirect-location': '/x',
      metadata: '{"a":"1","b":"\\u003c2\\u003e"}',
      'X-Amz-Tagging': '{"s":"\\u0026","t":"é"}',
      checksums: `{"Algorithm":"SHA256","Type":"FULL_OBJECT","CRC32":null,"CRC32C":null,"SHA1":null,"SHA256":"${checksum('SHA256', 'hello')}","CRC64NVME":null,"SHA512":null,"MD5":null,"XXHASH64":null,"XXHASH3":null,"XXHASH128":null}`,
    })
    const { head } = await read(t, key('k'))
    expect(head).toMatchObject({
      userMetadata: { a: '1', b: '<2>' },
      tagCount: 2,
      headers: { cacheControl: 'no-store' },
    })
  })

  test('an overwrite leaves nothing of what was before', async () => {
    await put(t.backend, key('k'), 'first', {
      userMetadata: { a: '1' },
      headers: { contentLanguage: 'de' },
    })
    await put(t.backend, key('k'), 'second')
    expect(Object.keys(attributesOf(at('k'))).sort()).toEqual(['checksums', 'content-type', 'etag'])
    expect((await read(t, key('k'))).bytes.toString()).toBe('second')
  })

  test('readers see one object or the other, whole, while it is overwritten', async () => {
    const bodies = [0, 1, 2, 3].map((seed) => someBytes(40_000 + seed * 9_000, seed))
    const whole = new Map(bodies.map((bytes) => [`"${md5(bytes)}"`, bytes]))
    await put(t.backend, key('k'), bodies[0] ?? '')
    let isWriting = true
    const writers = Promise.all(
      bodies.map(async (bytes) => {
        for (let i = 0; i < 40; i++) await put(t.backend, key('k'), bytes)
      }),
    ).finally(() => {
      isWriting = false
    })
    let reads = 0
    while (isWriting) {
      const { head, bytes } = await read(t, key('k'))
      expect(whole.get(head.etag)?.equals(bytes)).toBe(true)
      reads++
    }
    await writers
    expect(reads).toBeGreaterThan(10)
    expect(strayFiles(at())).toEqual(['k'])
  })

  test.each([
    ['small, broken at once', 1000, 0],
    ['small, broken at the end', 1000, 1000],
    ['large, broken in the middle', 3_000_000, 1_500_000],
    ['large, broken at the end', 3_000_000, 3_000_000],
  ])(
    'a body that breaks publishes nothing and leaves nothing: %s',
    async (_, size, breaksAfter) => {
      await put(t.backend, key('old'), 'old')
      for (const name of ['old', 'deep/down/new']) {
        const payload = payloadOf(someBytes(size), { breaksAfter, pieceBytes: 100_000 })
        await expect(
          t.backend.putObject(key(name), newObject(), payload, newCall()),
        ).rejects.toThrow(BrokenBody)
      }
      expect((await read(t, key('old'))).bytes.toString()).toBe('old')
      expect(strayFiles(at())).toEqual(['old'])
    },
  )

  test.each([1000, 400_000])(
    'a digest that is wrong publishes nothing (%i bytes)',
    async (size) => {
      const bytes = someBytes(size)
      const right = createHash('sha256').update(bytes).digest()
      const wrong = Buffer.from(right)
      wrong[0] = (wrong[0] ?? 0) ^ 1
      const actual: Buffer[] = []
      const check = (expected: Buffer) => ({
        kind: 'sha256' as const,
        expected,
        mismatch: (computed: Buffer) => {
          actual.push(computed)
          return new Error('mismatch')
        },
      })
      const attempt = (...expected: Buffer[]) =>
        t.backend.putObject(
          key('d/k'),
          newObject(),
          payloadOf(bytes, { checks: expected.map(check) }),
          newCall(),
        )
      await expect(attempt(right, wrong)).rejects.toThrow('mismatch')
      expect(actual).toEqual([right])
      expect(strayFiles(at())).toEqual([])
      await attempt(right)
      expect(strayFiles(at())).toEqual(['d/', 'd/k'])
    },
  )

  test('If-None-Match: * has one winner among twenty', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        codeOrOk(put(t.backend, key('x/k'), `writer ${i}`, { precondition: { ifNoneMatch: '*' } })),
      ),
    )
    expect(outcomes.filter((code) => code === 'ok')).toHaveLength(1)
    expect(new Set(outcomes)).toEqual(new Set(['ok', 'PreconditionFailed']))
    expect((await read(t, key('x/k'))).bytes.toString()).toBe(`writer ${outcomes.indexOf('ok')}`)
    expect(strayFiles(at())).toEqual(['x/', 'x/k'])
  })

  test('If-Match has one winner among twenty', async () => {
    const { etag } = await put(t.backend, key('k'), 'first')
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        codeOrOk(put(t.backend, key('k'), `writer ${i}`, { precondition: { ifMatch: etag } })),
      ),
    )
    expect(outcomes.filter((code) => code === 'ok')).toHaveLength(1)
    expect((await read(t, key('k'))).bytes.toString()).toBe(`writer ${outcomes.indexOf('ok')}`)
  })

  test('conditions that do not hold', async () => {
    await put(t.backend, key('k'), 'first')
    writeFileSync(at('foreign'), 'put there without S3')
    const large = someBytes(300_000)
    for (const bytes of ['small', large]) {
      expect(
        await codeOf(put(t.backend, key('none'), bytes, { precondition: { ifMatch: '"x"' } })),
      ).toBe('NoSuchKey')
      expect(
        await codeOf(put(t.backend, key('k'), bytes, { precondition: { ifMatch: '"x"' } })),
      ).toBe('PreconditionFailed')
      expect(
        await codeOf(put(t.backend, key('k'), bytes, { precondition: { ifNoneMatch: '*' } })),
      ).toBe('PreconditionFailed')
      // Contract 9.2, 15: what exists is decided by existence, not by an attribute.
      expect(
        await codeOf(put(t.backend, key('foreign'), bytes, { precondition: { ifNoneMatch: '*' } })),
      ).toBe('PreconditionFailed')
    }
    await put(t.backend, key('k'), large, { precondition: { ifMatch: md5('first') } })
    await put(t.backend, key('k'), 'third', { precondition: { ifMatch: '*' } })
    expect(strayFiles(at())).toEqual(['foreign', 'k'])
  })

  test('conflicts of files and directories (contract 2.7)', async () => {
    await put(t.backend, key('file'), 'x')
    await put(t.backend, key('dir/file'), 'x')
    for (const bytes of ['', 'small', someBytes(300_000)]) {
      expect(await codeOf(put(t.backend, key('dir'), bytes))).toBe('ExistingObjectIsDirectory')
      expect(
        await codeOf(put(t.backend, key('dir'), bytes, { precondition: { ifNoneMatch: '*' } })),
      ).toBe('ExistingObjectIsDirectory')
      expect(await codeOf(put(t.backend, key('file/below'), bytes))).toBe('ObjectParentIsFile')
      expect(await codeOf(put(t.backend, key('file/far/below'), bytes))).toBe('ObjectParentIsFile')
    }
    expect(await codeOf(put(t.backend, key('file/'), ''))).toBe('ObjectParentIsFile')
    expect(await codeOf(put(t.backend, key('new/'), 'data'))).toBe('DirectoryObjectContainsData')
    expect(await codeOf(put(t.backend, { bucket: 'none', key: 'k' }, 'x'))).toBe('NoSuchBucket')
    expect(strayFiles(at())).toEqual(['dir/', 'dir/file', 'file'])
  })

  test('a stands beside a.b, a-b and b, and not beside a/b', async () => {
    for (const name of ['a.b', 'a-b', 'a', 'b']) await put(t.backend, key(name), name)
    expect(await codeOf(put(t.backend, key('a/b'), 'x'))).toBe('ObjectParentIsFile')
  })

  test('names: 255 bytes, unicode in each form, odd characters', async () => {
    const names = [
      'n'.repeat(255),
      `${'d'.repeat(255)}/${'n'.repeat(255)}`,
      'ü'.repeat(127),
      'e\u0301',
      '\u00e9',
      '日本語/😀',
      'a b+c%20d',
      '-',
      '...',
      '..a',
      'a..',
      ' ',
      '\u0001',
      'back\\slash',
      '*?[x]',
      '.hidden',
    ]
    for (const name of names) await put(t.backend, key(name), `body of ${name}`)
    for (const name of names)
      expect((await read(t, key(name))).bytes.toString()).toBe(`body of ${name}`)
    for (const name of names) await put(t.backend, key(name), 'again')
    for (const name of names) await t.backend.deleteObject(key(name), {}, newCall())
    expect(strayFiles(at())).toEqual([])
  })

  test('names that are too long leave nothing', async () => {
    for (const bytes of ['small', someBytes(300_000)]) {
      for (const name of [
        'n'.repeat(256),
        `new/${'n'.repeat(256)}`,
        `new/${'d'.repeat(256)}/k`,
        'ü'.repeat(128),
      ]) {
        expect(await codeOf(put(t.backend, key(name), bytes))).toBe('KeyTooLongError')
      }
    }
    expect(await codeOf(read(t, key('n'.repeat(256))))).toBe('KeyTooLongError')
    expect(strayFiles(at())).toEqual([])
  })

  test.each([
    '../escape',
    'a/../../escape',
    'a//b',
    './a',
    'a/.',
    '.sgwtmp/x',
    'a/.sgwtmp/x',
    'a\0b',
    '',
    '/',
    '/etc',
  ])('a path that no key has is refused, whatever is checked above: %j', async (name) => {
    expect(await codeOf(put(t.backend, key(name), 'x'))).toBe('400')
    expect(await codeOf(read(t, key(name)))).toBe('400')
    expect(await codeOf(t.backend.deleteObject(key(name), {}, newCall()))).toBe('400')
  })

  test.each(['.', '..', '', '.sgwtmp', 'a/b', '../x', 'a\0'])(
    'a bucket of a name that none can have: %j',
    async (bucket) => {
      expect(await codeOf(put(t.backend, { bucket, key: 'k' }, 'x'))).toBe('NoSuchBucket')
      expect(await codeOf(t.backend.headBucket(bucket, newCall()))).toBe('NoSuchBucket')
    },
  )

  test('links are never followed; a PUT replaces the link, not what it leads to (threats, A6)', async () => {
    mkdirSync(join(t.root, 'outside'))
    writeFileSync(join(t.root, 'outside', 'secret'), 'secret')
    symlinkSync('../outside', at('dir-link'))
    symlinkSync('../outside/secret', at('file-link'))
    symlinkSync('/etc/passwd', at('absolute-link'))
    writeFileSync(at('inside'), 'inside')
    symlinkSync('inside', at('inner-link'))
    for (const name of ['dir-link/secret', 'file-link', 'absolute-link', 'inner-link']) {
      expect(await codeOf(read(t, key(name)))).toBe('NoSuchKey')
      expect(await codeOf(t.backend.headObject(key(name), newCall()))).toBe('NoSuchKey')
    }
    for (const bytes of ['small', someBytes(300_000)]) {
      expect(await codeOf(put(t.backend, key('dir-link/new'), bytes))).toBe('ObjectParentIsFile')
    }
    await put(t.backend, key('file-link'), 'new')
    await put(t.backend, key('inner-link'), someBytes(300_000))
    expect(readFileSync(join(t.root, 'outside', 'secret'), 'utf8')).toBe('secret')
    expect(readFileSync(at('inside'), 'utf8')).toBe('inside')
    expect((await read(t, key('file-link'))).bytes.toString()).toBe('new')
  })

  test('PUT against DELETE of its neighbours, whose empty parents go: all succeed', async () => {
    const work = Array.from({ length: 8 }, async (_, i) => {
      for (let round = 0; round < 25; round++) {
        await put(
          t.backend,
          key(`p/q/r/${i}`),
          round % 5 === 4 ? someBytes(300_000) : `round ${round}`,
        )
        await t.backend.deleteObject(key(`p/q/r/${i}`), {}, newCall())
      }
      await put(t.backend, key(`p/q/r/${i}`), 'stays')
    })
    await Promise.all(work)
    expect(strayFiles(at())).toEqual([
      'p/',
      'p/q/',
      'p/q/r/',
      ...Array.from({ length: 8 }, (_, i) => `p/q/r/${i}`),
    ])
  })
})

describe('PutObject', () => {
  let t: TestBackend
  afterEach(() => t.close())
  const ref = { bucket: BUCKET, key: 'dir/object' }

  test.each([
    ['none', ['OpenTmpFile', 'WriteData', 'WriteMetadata', 'MakeParents', 'LinkFile']],
    [
      'full',
      ['OpenTmpFile', 'WriteData', 'WriteMetadata', 'Sync', 'MakeParents', 'LinkFile', 'Sync'],
    ],
  ] as const)('the trace, small and large (durability %s)', async (durability, expected) => {
    t = await openBackend({ durability })
    await makeBucket(t.backend)
    await put(t.backend, { bucket: BUCKET, key: 'dir/other' }, 'x')
    for (const bytes of [someBytes(4096), someBytes(700_000)]) {
      const call = newCall()
      await t.backend.putObject(ref, newObject(), payloadOf(bytes), call)
      const names = spanTree(call.span).map((line) => line.replace('Posix.IO.', ''))
      expect(
        names.filter((name, i) => !(name === 'OpenFile' && i < names.indexOf('OpenTmpFile'))),
      ).toEqual(expected)
      const span = (name: string) =>
        call.recorder.spans.find((s) => s.name === `Posix.IO.${name}`)?.attributes
      expect(span('OpenTmpFile')).toMatchObject({
        'posix.dir': 'bucket/.sgwtmp',
        'posix.bucket': BUCKET,
        'posix.object': 'dir/object',
        'posix.size': bytes.length,
        'posix.tmp_method': 'o_tmpfile',
      })
      expect(span('WriteData')).toMatchObject({ 'posix.bytes_written': bytes.length })
      expect(span('LinkFile')).toMatchObject({
        'posix.bucket': BUCKET,
        'posix.object': 'dir/object',
      })
    }
  })

  test('where O_TMPFILE is refused, a name serves, and is remembered', async () => {
    for (const bytes of ['small', someBytes(300_000)]) {
      t = await openBackend()
      await makeBucket(t.backend)
      await put(t.backend, { bucket: BUCKET, key: 'first' }, 'x')
      t.io.faults.set({ errno: constants.errno.EOPNOTSUPP, call: 'openat', after: 1, times: 1 })
      await put(t.backend, ref, bytes)
      t.io.faults.clear()
      const call = newCall()
      await t.backend.putObject(ref, newObject(), payloadOf('x'), call)
      expect(
        call.recorder.spans.find((s) => s.name === 'Posix.IO.OpenTmpFile')?.attributes[
          'posix.tmp_method'
        ],
      ).toBe('named')
      expect(strayFiles(join(t.root, BUCKET))).toEqual(['dir/', 'dir/object', 'first'])
      await t.close()
    }
    t = await openBackend()
  })

  test('where linkat is refused, or lands on another file system, the object gets there all the same', async () => {
    const { EPERM, EXDEV } = constants.errno
    for (const errno of [EPERM, EXDEV]) {
      for (const bytes of [Buffer.from('small'), someBytes(300_000)]) {
        t = await openBackend()
        await makeBucket(t.backend)
        await put(t.backend, { bucket: BUCKET, key: 'first' }, 'x')
        t.io.faults.set({ errno, call: 'linkat', times: 1 })
        await put(t.backend, ref, bytes)
        t.io.faults.clear()
        expect((await read(t, ref)).bytes.equals(bytes)).toBe(true)
        expect(strayFiles(join(t.root, BUCKET))).toEqual(['dir/', 'dir/object', 'first'])
        await t.close()
      }
    }
    t = await openBackend()
  })

  test.each([
    ['ENOSPC', 'InsufficientStorage'],
    ['EDQUOT', 'QuotaExceeded'],
    ['EROFS', 'MethodNotAllowed'],
    ['EACCES', 'AccessDenied'],
    ['EMFILE', 'SlowDown'],
    ['ESTALE', 'SlowDown'],
    ['EIO', 'InternalError'],
  ] as const)(
    'whatever call fails with %s: %s or success, never half an object, never a leftover',
    async (name, code) => {
      t = await openBackend({ durability: 'full' })
      await makeBucket(t.backend)
      const errno = constants.errno[name]
      await put(t.backend, { bucket: BUCKET, key: 'kept' }, 'kept')
      for (const bytes of [Buffer.from('small'), someBytes(300_000)]) {
        for (let after = 0; after < 40; after++) {
          t.io.faults.set({ errno, after, times: 1 })
          const outcome = await codeOrOk(put(t.backend, { bucket: BUCKET, key: 'new/k' }, bytes))
          t.io.faults.clear()
          expect(['ok', code]).toContain(outcome)
          const stray = strayFiles(join(t.root, BUCKET)).filter((path) => path !== 'kept')
          const exists = stray.includes('new/k')
          // A sync that fails comes after the name was given: the client is told of a failure, the object is whole.
          if (outcome === 'ok') expect(exists).toBe(true)
          if (exists) expect(readFileSync(join(t.root, BUCKET, 'new/k')).equals(bytes)).toBe(true)
          expect(stray).toEqual(exists ? ['new/', 'new/k'] : [])
          await t.backend.deleteObject({ bucket: BUCKET, key: 'new/k' }, {}, newCall())
        }
      }
    },
  )
})

async function codeOrOk(promise: Promise<unknown>): Promise<string> {
  let isOk = false
  const code = await codeOf(
    promise.then(() => {
      isOk = true
    }),
  ).catch((error: unknown) => {
    if (isOk) return 'ok'
    throw error
  })
  return code
}
