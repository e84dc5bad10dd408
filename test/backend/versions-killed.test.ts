import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { mountFileSystem } from '../support/file-systems.ts'
import { setAttribute, treeOf } from '../support/tree.ts'
import { each, runKilled, type Place, type Request } from './killing.ts'
import {
  makeBucket,
  newCall,
  newObject,
  openBackend,
  outcomeOf,
  payloadOf,
  put,
  read,
  type TestBackend,
} from './support.ts'

const BUCKET = 'bucket'
const KEY = { bucket: BUCKET, key: 'dir/object' }

/** Newest first: whether it is current, its id if that is `null`, and its content's letter. */
type State = readonly string[]

interface Case {
  readonly name: string
  /** Writes the versions before, and says what is asked for. */
  readonly prepare: (t: TestBackend, place: Place) => Promise<Request>
  readonly before: State
  readonly after: State
  /** After a second try that found the first one done; without it that is refused, or changes nothing. */
  readonly again?: State
}

function setVersioning({ root }: Place, isEnabled: boolean): void {
  setAttribute(join(root, BUCKET), 'versioning', Buffer.from([isEnabled ? 1 : 0]))
}

/** Writes one version after the other, `N` as a null version; gives back their ids. */
async function write(
  t: TestBackend,
  place: Place,
  letters: string,
): Promise<(string | undefined)[]> {
  const ids: (string | undefined)[] = []
  for (const letter of letters) {
    setVersioning(place, letter !== 'N')
    ids.push((await put(t.backend, KEY, Buffer.alloc(SIZE, letter))).versionId)
  }
  return ids
}

const SIZE = 5000
const PUT: Request = {
  method: 'putObject',
  args: [KEY, newObject(), { bytes: { letter: 'x', length: SIZE } }],
}
const deleting = (versionId: string | undefined): Request => ({
  method: 'deleteObject',
  args: [{ ...KEY, versionId }, {}],
})

const CASES: readonly Case[] = [
  {
    name: 'PutObject over a version',
    prepare: async (t, place) => {
      await write(t, place, 'ab')
      return PUT
    },
    before: ['*b', 'a'],
    after: ['*x', 'b', 'a'],
    again: ['*x', 'x', 'b', 'a'],
  },
  {
    name: 'PutObject while versioning is suspended',
    prepare: async (t, place) => {
      await write(t, place, 'Nab')
      setVersioning(place, false)
      return PUT
    },
    before: ['*b', 'a', 'null N'],
    after: ['*null x', 'b', 'a'],
  },
  {
    name: 'DeleteObject of the current version',
    prepare: async (t, place) => {
      const ids = await write(t, place, 'aNb')
      return deleting(ids[2])
    },
    before: ['*b', 'null N', 'a'],
    after: ['*null N', 'a'],
  },
]

const other = mountFileSystem('tmpfs', 64)
afterAll(() => other?.unmount())

const VARIANTS = [
  { name: 'linked, durable', durability: 'full', onOther: false },
  { name: 'copied to another file system', durability: 'none', onOther: true },
] as const

describe.each(VARIANTS)('killed before each system call ($name)', ({ durability, onOther }) => {
  // What is no copy is the same wherever versions lie.
  const cases = onOther ? CASES.filter(({ name }) => name.includes('current')) : CASES
  test.skipIf(onOther && other === undefined).each(cases)(
    '$name: no version is lost, none is there twice, and the current one is old or new',
    async (the) => {
      const ended = await each(async (after) => {
        const root = mkdtempSync(join(tmpdir(), 'vgw-killed-'))
        const base = onOther ? (other?.dir ?? '') : tmpdir()
        const versioningDirectory = mkdtempSync(join(base, 'vgw-versions-'))
        const how = { useTmpFile: true, durability } as const
        try {
          return await killAndLook(the, { root, versioningDirectory, onOther, ...how }, after)
        } finally {
          rmSync(root, { recursive: true })
          rmSync(versioningDirectory, { recursive: true })
        }
      })
      expect(ended).toBeGreaterThan(3)
    },
    120_000,
  )
})

/** True where it came to its end before it was killed. */
async function killAndLook(
  the: Case,
  where: Place & { onOther: boolean },
  after: number,
): Promise<boolean> {
  const { onOther, ...place } = where
  const before = await openBackend(place)
  await makeBucket(before.backend)
  mkdirSync(join(place.root, BUCKET, 'dir'))
  const request = await the.prepare(before, place)
  expect(await stateOf(before)).toEqual(the.before)
  await before.close()

  const done = await runKilled(place, after, request)
  const again = await openBackend(place)
  try {
    const state = await stateOf(again)
    if (done) expect(state).toEqual(the.after)
    else expect([the.before, the.after]).toContainEqual(state)
    const isGone = JSON.stringify(state) === JSON.stringify(the.after)
    const outcome = await attempt(again, request)
    if (!isGone) expect(outcome).toBe('ok')
    const expected = isGone ? (the.again ?? the.after) : the.after
    expect([after, await stateOf(again)]).toEqual([after, expected])
    const files = filesIn(place.versioningDirectory ?? '')
    // A copy that has taken the current place may have left what it was copied from: it is told once all the same.
    const left = isGone && onOther ? [expected.length - 1, expected.length] : [expected.length - 1]
    expect([after, left]).toEqual([after, expect.arrayContaining([files])])
  } finally {
    await again.close()
  }
  return done
}

function attempt(t: TestBackend, { method, args }: Request): Promise<string> {
  const passed = args.map((arg) =>
    typeof arg === 'object' && arg !== null && 'bytes' in arg ? bodyOf(arg as Body) : arg,
  )
  const call = Reflect.get(t.backend, method) as (...args: unknown[]) => Promise<unknown>
  return outcomeOf(call(...passed, newCall()))
}

interface Body {
  readonly bytes: { readonly letter: string; readonly length: number }
}

function bodyOf({ bytes: { letter, length } }: Body) {
  return payloadOf(Buffer.alloc(length, letter))
}

/** Every version that is listed, read whole by its id; and the current one without it. */
async function stateOf(t: TestBackend): Promise<State> {
  const page = { prefix: '', delimiter: '', keyMarker: '', versionIdMarker: undefined, maxKeys: 99 }
  const { versions } = await t.backend.listVersions(BUCKET, page, newCall())
  const state: string[] = []
  for (const { versionId, isLatest, isDeleteMarker } of versions) {
    const letter = isDeleteMarker ? '-' : await letterOf(t, { ...KEY, versionId })
    if (isLatest && !isDeleteMarker) expect(await letterOf(t, KEY)).toBe(letter)
    state.push(`${isLatest ? '*' : ''}${versionId === 'null' ? 'null ' : ''}${letter}`)
  }
  return state
}

async function letterOf(t: TestBackend, ref: typeof KEY & { versionId?: string }): Promise<string> {
  const { bytes } = await read(t, ref)
  const letter = String.fromCodePoint(bytes[0] ?? 0)
  return bytes.length > 0 && bytes.equals(Buffer.alloc(bytes.length, letter)) ? letter : 'damaged'
}

/** How many files there are in the place of superseded versions, but for what a sweep removes. */
function filesIn(directory: string): number {
  const TEMPORARY = /\/\.sgwtmp\/(?:tmp\.[0-9a-f]{24}|[0-9a-f]{32})$/
  return treeOf(directory).filter((path) => !path.endsWith('/') && !TEMPORARY.test(path)).length
}
