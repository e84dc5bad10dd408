import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CompletedPart, UploadRef } from '../../src/backend/backend.ts'
import { strayFiles } from '../support/tree.ts'
import {
  BrokenBody,
  codeOf,
  makeBucket,
  newCall,
  openBackend,
  payloadOf,
  read,
  someBytes,
  spanTree,
  type TestBackend,
} from './support.ts'
import { MIN, etagOf, hashed, listed } from './uploads.ts'

const BUCKET = 'bucket'
const KEY = { bucket: BUCKET, key: 'dir/object' }
const UPLOAD = { headers: {}, userMetadata: {}, tags: undefined, checksum: undefined }
const REST = {
  checksumType: undefined,
  checksum: undefined,
  objectSize: undefined,
  precondition: {},
}

describe.each(['full', 'none'] as const)(
  '--multipart-layout slots (durability %s)',
  (durability) => {
    let t: TestBackend
    beforeEach(async () => {
      t = await openBackend({ multipartLayout: 'slots', durability })
      await makeBucket(t.backend)
    })
    afterEach(() => t.close())
    const bodies = [1, 2, 3].map((seed) => someBytes(seed === 3 ? 777 : MIN, seed))
    const [first = Buffer.alloc(0), second = first, last = first] = bodies

    const begin = async (backend = t.backend): Promise<UploadRef> => {
      const { uploadId } = await backend.createUpload(KEY, UPLOAD, newCall())
      return { ...KEY, uploadId }
    }
    const send = async (ref: UploadRef, partNumber: number, bytes: Buffer, from = t.backend) => {
      const part = { ...ref, partNumber }
      return listed(partNumber, await from.uploadPart(part, payloadOf(bytes), undefined, newCall()))
    }
    const complete = async (ref: UploadRef, parts: readonly CompletedPart[], from = t.backend) => {
      const call = newCall()
      await from.completeUpload(ref, { ...REST, parts }, call)
      return methodsOf(call)
    }
    const object = async (): Promise<Buffer> => (await read(t, KEY)).bytes
    const files = (ref: UploadRef): string[] =>
      readdirSync(
        join(t.root, BUCKET, '.sgwtmp/multipart', hashed(KEY.key), ref.uploadId),
      ).toSorted()

    test('parts in any order are where they belong, and nothing is copied', async () => {
      const ref = await begin()
      const parts = [
        await send(ref, 2, second),
        await send(ref, 1, first),
        await send(ref, 3, last),
      ]
      expect(files(ref)).toEqual(['1.slot', '2.slot', '3.slot', 'slots', 'slots.size'])
      const { parts: told } = await t.backend.listParts(
        ref,
        { partNumberMarker: 0, maxParts: 10 },
        newCall(),
      )
      expect(told.map(({ partNumber, size, etag }) => [partNumber, size, etag])).toEqual(
        [1, 2, 3].map((n) => [
          n,
          bodies[n - 1]?.length,
          parts.find((p) => p.partNumber === n)?.etag,
        ]),
      )
      const call = newCall()
      await t.backend.completeUpload(ref, { ...REST, parts: parts.toSorted(byNumber) }, call)
      expect(methodsOf(call)).toEqual(['in_place', 'in_place', 'in_place'])
      expect(spanTree(call.span)).toContain('  Posix.IO.CopyPart')
      expect(spanTree(call.span)).not.toContain('    Posix.IO.FastFileCopy')
      const assembled = call.recorder.spans.find(({ name }) => name === 'Posix.IO.AssembleParts')
      expect(assembled?.events).toHaveLength(3)
      const { head, bytes } = await read(t, KEY)
      expect(bytes.equals(Buffer.concat(bodies))).toBe(true)
      expect([head.etag, head.partEnds]).toEqual([etagOf(...bodies), [MIN, 2 * MIN, 2 * MIN + 777]])
      expect(statSync(join(t.root, BUCKET, KEY.key)).nlink).toBe(1)
      expect(strayFiles(join(t.root, BUCKET))).toEqual(['dir/', 'dir/object'])
    })

    test('a part that is sent again counts, and one that breaks leaves the one before', async () => {
      const ref = await begin()
      const parts = [await send(ref, 1, first), await send(ref, 2, first), await send(ref, 3, last)]
      parts[1] = await send(ref, 2, second)
      const broken = payloadOf(first, { breaksAfter: 1_000_000 })
      await expect(
        t.backend.uploadPart({ ...ref, partNumber: 1 }, broken, undefined, newCall()),
      ).rejects.toThrow(BrokenBody)
      expect((await complete(ref, parts)).filter((method) => method === 'in_place')).toHaveLength(2)
      expect((await object()).equals(Buffer.concat(bodies))).toBe(true)
    })

    test('a first try that breaks gives its slot back', async () => {
      const ref = await begin()
      const broken = payloadOf(second, { breaksAfter: 1_000_000 })
      await expect(
        t.backend.uploadPart({ ...ref, partNumber: 1 }, broken, undefined, newCall()),
      ).rejects.toThrow(BrokenBody)
      const parts = [await send(ref, 1, first), await send(ref, 2, last)]
      expect(await complete(ref, parts)).toEqual(['in_place', 'in_place'])
      expect((await object()).equals(Buffer.concat([first, last]))).toBe(true)
    })

    test('two at once for one part: the object is one of them, whole', async () => {
      const ref = await begin()
      const both = await Promise.all([send(ref, 1, first), send(ref, 1, second)])
      const { parts: told } = await t.backend.listParts(
        ref,
        { partNumberMarker: 0, maxParts: 10 },
        newCall(),
      )
      const kept = both.filter(({ etag }) => etag === told[0]?.etag)
      await complete(ref, kept)
      const winner = kept[0] === both[0] ? first : second
      expect((await object()).equals(winner)).toBe(true)
    })

    test.each([
      ['parts that are missing', [1, 3], [MIN, MIN]],
      ['unequal parts, the later longer', [1, 2, 3], [MIN, MIN + 5, 9]],
      ['unequal parts, the later shorter', [1, 2, 3], [MIN + 7, MIN, 9]],
      ['a short part that comes first', [2, 1], [100, MIN]],
      ['numbers from afar', [9999, 10_000], [MIN, 12]],
    ])('%s are copied', async (_, numbers, sizes) => {
      const ref = await begin()
      const sent = []
      for (const [i, number] of numbers.entries()) {
        const bytes = someBytes(sizes[i] ?? 0, i)
        sent.push({ part: await send(ref, number, bytes), bytes })
      }
      sent.sort((a, b) => byNumber(a.part, b.part))
      const methods = await complete(
        ref,
        sent.map(({ part }) => part),
      )
      expect(methods).not.toContain('in_place')
      expect((await object()).equals(Buffer.concat(sent.map(({ bytes }) => bytes)))).toBe(true)
      expect(strayFiles(join(t.root, BUCKET))).toEqual(['dir/', 'dir/object'])
    })

    test('parts that the client leaves out do not get into the object', async () => {
      const ref = await begin()
      const parts = [
        await send(ref, 1, first),
        await send(ref, 2, second),
        await send(ref, 3, last),
      ]
      await complete(ref, parts.slice(0, 2))
      expect((await object()).equals(Buffer.concat([first, second]))).toBe(true)
    })

    test('a completion that is refused changes nothing: it can be tried again', async () => {
      const ref = await begin()
      const parts = [await send(ref, 1, first), await send(ref, 2, last)]
      const missing = { partNumber: 3, etag: '"x"', checksums: {} }
      expect(await codeOf(complete(ref, [...parts.slice(0, 1), missing]))).toBe('InvalidPart')
      const conditional = { ...REST, parts, precondition: { ifMatch: 'none' } }
      expect(await codeOf(t.backend.completeUpload(ref, conditional, newCall()))).toBe('NoSuchKey')
      expect(await complete(ref, parts)).toEqual(['in_place', 'in_place'])
      await complete(ref, parts)
      expect((await object()).equals(Buffer.concat([first, last]))).toBe(true)
    })

    test('an upload begun in one layout ends in the other', async () => {
      const other = await openBackend({ root: t.root })
      for (const [from, to] of [
        [t.backend, other.backend],
        [other.backend, t.backend],
      ] as const) {
        const ref = await begin(from)
        const parts = [
          await send(ref, 1, first, from),
          await send(ref, 2, second, to),
          await send(ref, 3, last, from),
        ]
        await complete(ref, parts, to)
        expect((await object()).equals(Buffer.concat(bodies))).toBe(true)
      }
      await other.close()
      expect(strayFiles(join(t.root, BUCKET))).toEqual(['dir/', 'dir/object'])
    })

    test('an abort removes it all, also under a part that is being sent', async () => {
      const ref = await begin()
      await send(ref, 1, first)
      const slow = payloadOf(second, {
        beforePiece: (sent) =>
          sent === 0 ? t.backend.abortUpload(ref, undefined, newCall()) : undefined,
      })
      const sending = t.backend.uploadPart({ ...ref, partNumber: 2 }, slow, undefined, newCall())
      expect(await codeOf(sending)).toBe('NoSuchUpload')
      expect(await codeOf(send(ref, 3, last))).toBe('NoSuchUpload')
      expect(strayFiles(join(t.root, BUCKET))).toEqual([])
    })

    test('a part that is still being sent when the upload is completed does not touch the object', async () => {
      const ref = await begin()
      const parts = [await send(ref, 1, first), await send(ref, 2, last)]
      const slow = payloadOf(second, {
        beforePiece: async (sent) => {
          if (sent === 0) await complete(ref, parts)
        },
      })
      const sending = t.backend.uploadPart({ ...ref, partNumber: 3 }, slow, undefined, newCall())
      expect(await codeOf(sending)).toBe('NoSuchUpload')
      expect((await object()).equals(Buffer.concat([first, last]))).toBe(true)
    })
  },
)

function methodsOf(call: ReturnType<typeof newCall>): unknown[] {
  return call.recorder.spans
    .filter(({ name }) => name === 'Posix.IO.CopyPart')
    .map(({ attributes }) => attributes['posix.copy_method'])
}

function byNumber(a: CompletedPart, b: CompletedPart): number {
  return a.partNumber - b.partNumber
}
