import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { attributesOf, strayFiles } from '../support/tree.ts'
import { checksum } from '../support/checksums.ts'
import {
  BrokenBody,
  STORE_VARIANTS,
  codeOf,
  md5,
  newCall,
  newObject,
  outcomeOf,
  payloadOf,
  put,
  read,
  someBytes,
  useBackend,
} from './support.ts'

const BUCKET = 'bucket'

describe.each(STORE_VARIANTS)('PutObject with $name', (options) => {
  const t = useBackend(options)
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
    const state = { isWriting: true }
    const writers = Promise.all(
      bodies.map(async (bytes) => {
        for (let i = 0; i < 40; i++) await put(t.backend, key('k'), bytes)
      }),
    ).finally(() => {
      state.isWriting = false
    })
    let reads = 0
    while (state.isWriting) {
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
        outcomeOf(
          put(t.backend, key('x/k'), `writer ${i}`, { precondition: { ifNoneMatch: '*' } }),
        ),
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
        outcomeOf(put(t.backend, key('k'), `writer ${i}`, { precondition: { ifMatch: etag } })),
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
})
