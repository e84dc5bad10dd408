import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { treeOf } from '../support/tree.ts'
import { each, runKilled, type Place, type Request } from './killing.ts'
import {
  makeBucket,
  md5,
  newCall,
  newObject,
  openBackend,
  outcomeOf,
  payloadOf,
  put,
  read,
  type TestBackend,
} from './support.ts'
import { etagOf } from './uploads.ts'

const BUCKET = 'bucket'
const KEY = { bucket: BUCKET, key: 'dir/object' }
const SOURCE = { bucket: BUCKET, key: 'source' }
/** Small ones are one job, large ones are streamed. */
const SIZES = { small: 5000, large: 300_000 }

interface Case {
  readonly name: string
  /** Makes the state before, and says what is asked for. */
  readonly prepare: (t: TestBackend) => Promise<Request>
  /** The state after: content by key. */
  readonly after: State
}

/** Letter and length of the content of each key. */
type State = Readonly<Record<string, string>>

const content = (letter: string, length: number): string => `${letter} × ${length}`

function putting(letter: string, length: number, precondition: object = {}): Request {
  return {
    method: 'putObject',
    args: [KEY, newObject({ precondition }), { bytes: { letter, length } }],
  }
}

const COPY = {
  ...newObject(),
  metadata: 'COPY',
  tags: 'COPY',
  checksum: undefined,
  precondition: {},
  sourcePrecondition: {},
}

const CASES: readonly Case[] = [
  {
    name: 'PutObject',
    prepare: async () => putting('n', SIZES.small),
    after: { 'dir/object': content('n', SIZES.small) },
  },
  ...Object.entries(SIZES).map(([size, length]): Case => ({
    name: `PutObject over another, ${size}`,
    async prepare({ backend }) {
      await put(backend, KEY, Buffer.alloc(100, 'o'))
      return putting('n', length)
    },
    after: { 'dir/object': content('n', length) },
  })),
  {
    name: 'PutObject with If-Match',
    async prepare({ backend }) {
      await put(backend, KEY, Buffer.alloc(100, 'o'))
      return putting('n', SIZES.large, { ifMatch: md5(Buffer.alloc(100, 'o')) })
    },
    after: { 'dir/object': content('n', SIZES.large) },
  },
  {
    name: 'CopyObject',
    async prepare({ backend }) {
      await put(backend, SOURCE, Buffer.alloc(300_000, 's'))
      return { method: 'copyObject', args: [SOURCE, KEY, COPY] }
    },
    after: { source: content('s', 300_000), 'dir/object': content('s', 300_000) },
  },
  {
    name: 'DeleteObject',
    async prepare({ backend }) {
      await put(backend, KEY, Buffer.alloc(100, 'o'))
      return { method: 'deleteObject', args: [KEY, {}] }
    },
    after: {},
  },
  {
    name: 'CompleteMultipartUpload over another object',
    async prepare({ backend }) {
      await put(backend, KEY, Buffer.alloc(100, 'o'))
      const upload = { headers: {}, userMetadata: {}, tags: undefined, checksum: undefined }
      const { uploadId } = await backend.createUpload(KEY, upload, newCall())
      const ref = { ...KEY, uploadId }
      const body = payloadOf(Buffer.alloc(SIZES.large, 'n'))
      const part = { ...ref, partNumber: 1 }
      const { etag } = await backend.uploadPart(part, body, undefined, newCall())
      const parts = [{ partNumber: 1, etag, checksums: {} }]
      return { method: 'completeUpload', args: [ref, { parts, precondition: {} }] }
    },
    after: { 'dir/object': content('n', SIZES.large) },
  },
]

const VARIANTS = [
  { name: 'O_TMPFILE, durable', useTmpFile: true, durability: 'full' },
  { name: 'named temporary files', useTmpFile: false, durability: 'none' },
  { name: 'sidecar', useTmpFile: true, durability: 'none', sidecar: true },
  { name: 'slots', useTmpFile: true, durability: 'none', multipartLayout: 'slots' },
] as const

/** More calls with a sidecar directory: what writes, what replaces and what removes a file is the same in all cases. */
const BRIEF: Readonly<Record<string, ReadonlySet<string>>> = {
  sidecar: new Set(['PutObject over another, small', 'DeleteObject']),
  slots: new Set(['CompleteMultipartUpload over another object']),
}

/** Kill -9 before any of its system calls: design.md, section 6. */
describe.each(VARIANTS)('killed before each system call ($name)', (how) => {
  const cases = CASES.filter(({ name }) => BRIEF[how.name]?.has(name) ?? true)
  test.each(cases)(
    '$name: the old state or the new one, and a second try succeeds',
    async (the) => {
      const ended = await each((after) =>
        withRoot((root) => killAndLook(the, { root, ...how }, after)),
      )
      expect(ended).toBeGreaterThan(3)
    },
    120_000,
  )
})

describe.each(VARIANTS)('killed before each system call ($name)', (how) => {
  test('CreateBucket: no bucket, or one that says whose it is; a second try succeeds', async () => {
    const acl =
      '{"Owner":"alice","Grantees":[{"Permission":"FULL_CONTROL","Access":"alice","Type":"CanonicalUser"}]}'
    const bucket = { name: BUCKET, owner: 'alice', subresources: { acl } }
    const ended = await each((after) =>
      withRoot(async (root) => {
        const place = { root, ...how }
        const done = await runKilled(place, after, { method: 'createBucket', args: [bucket] })
        const t = await openBackend(place)
        const find = async (): Promise<string[]> =>
          readdirSync(root).filter((name) => !/^\.sgwtmp\.[0-9a-f]{24}$/.test(name))
        const stored = async (): Promise<string | undefined> =>
          (await t.backend.getBucketSubresource(BUCKET, 'acl', newCall()))?.toString()
        const found = await find()
        expect([[], [BUCKET]]).toContainEqual(found)
        if (found.length > 0) expect([after, await stored()]).toEqual([after, acl])
        const again = { ...bucket, subresources: new Map([['acl', acl] as const]) }
        expect(await outcomeOf(t.backend.createBucket(again, newCall()))).toBe(
          found.length > 0 ? 'BucketAlreadyOwnedByYou' : 'ok',
        )
        expect([await find(), await stored()]).toEqual([[BUCKET], acl])
        await t.close()
        return done
      }),
    )
    expect(ended).toBeGreaterThan(2)
  })
})

async function withRoot<T>(use: (root: string) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'vgw-killed-'))
  mkdirSync(`${root}.sidecar`)
  try {
    return await use(root)
  } finally {
    rmSync(root, { recursive: true })
    rmSync(`${root}.sidecar`, { recursive: true })
  }
}

/** True where it came to its end before it was killed. */
async function killAndLook(the: Case, place: Place, after: number): Promise<boolean> {
  const before = await openBackend(place)
  await makeBucket(before.backend)
  const request = await the.prepare(before)
  const old = await stateOf(before)
  await before.close()

  const done = await runKilled(place, after, request)
  const again = await openBackend(place)
  try {
    const state = await stateOf(again)
    if (done) expect(state).toEqual(the.after)
    else expect([old, the.after]).toContainEqual(state)

    const isGone = JSON.stringify(state) !== JSON.stringify(old)
    const mayRefuse = request.method === 'putObject' && isGone
    await attempt(again, request, mayRefuse)
    expect([after, await stateOf(again)]).toEqual([after, the.after])
    expect([after, leftIn(join(place.root, BUCKET), the.after)]).toEqual([after, []])
  } finally {
    await again.close()
  }
  return done
}

/** The second try. `If-Match` on an object that is there already is refused, as it should be. */
async function attempt(t: TestBackend, request: Request, mayRefuse: boolean): Promise<void> {
  const { method, args } = request
  const passed = args.map((arg) => (isBody(arg) ? bodyOf(arg) : arg))
  if (method === 'copyObject') passed[0] = { ...SOURCE, check: () => undefined }
  const call = Reflect.get(t.backend, method) as (...args: unknown[]) => Promise<unknown>
  try {
    await call(...passed, newCall())
  } catch (error) {
    if (!mayRefuse) throw error
    expect(error).toMatchObject({ code: 'PreconditionFailed' })
  }
}

interface BodyArgument {
  readonly bytes: { readonly letter: string; readonly length: number }
}

function isBody(arg: unknown): arg is BodyArgument {
  return typeof arg === 'object' && arg !== null && 'bytes' in arg
}

function bodyOf({ bytes: { letter, length } }: BodyArgument) {
  return payloadOf(Buffer.alloc(length, letter))
}

/** Every object that can be seen, read whole and compared with its ETag. */
async function stateOf(t: TestBackend): Promise<State> {
  const page = { prefix: '', delimiter: '', after: '', maxKeys: 1000 }
  const { objects } = await t.backend.listObjects(BUCKET, page, newCall())
  const state: Record<string, string> = {}
  for (const { key } of objects) {
    const { head, bytes } = await read(t, { bucket: BUCKET, key })
    const letter = String.fromCodePoint(bytes[0] ?? 0)
    const isWhole = bytes.equals(Buffer.alloc(bytes.length, letter))
    const etags = [`"${md5(bytes)}"`, etagOf(bytes)]
    const isDescribed = etags.includes(head.etag) && head.checksum !== undefined
    state[key] = isWhole && isDescribed ? content(letter, bytes.length) : 'damaged'
  }
  return state
}

/** What is neither an object nor a directory, nor what a sweep removes (contract 2.4), nor a lock that others may hold. */
function leftIn(bucketDir: string, objects: State): string[] {
  const TEMPORARY = /^\.sgwtmp\/(?:tmp\.[0-9a-f]{24}|[0-9a-f]{32})$/
  const ours = new Set(['dir/', '.sgwtmp/', '.sgwtmp/multipart/', '.sgwtmp/locks/'])
  return treeOf(bucketDir).filter(
    (path) =>
      !(path in objects) &&
      !ours.has(path) &&
      !TEMPORARY.test(path) &&
      !/^\.sgwtmp\/locks\/[0-9a-f]{2}$/.test(path),
  )
}
