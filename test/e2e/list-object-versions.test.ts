import { ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { ID_PREFIX, idOf, useStoredVersions } from '../support/stored-versions.ts'

const at = useStoredVersions()

interface Page {
  readonly KeyMarker?: string | undefined
  readonly VersionIdMarker?: string | undefined
  readonly MaxKeys?: number
  readonly Prefix?: string
  readonly Delimiter?: string
}

interface Listed {
  readonly pages: number
  /** `D` or `V`, key, version, `*` where it is the latest; by key, newest first. */
  readonly found: readonly string[]
  readonly prefixes: readonly string[]
}

/** All pages, as a client reads them. */
async function list(Bucket: string, page: Page = {}): Promise<Listed> {
  const found: string[] = []
  const prefixes: string[] = []
  let pages = 0
  let markers: Page = {}
  for (;;) {
    pages++
    const answer = await at.s3.send(new ListObjectVersionsCommand({ Bucket, ...page, ...markers }))
    const both = [
      ...(answer.Versions ?? []).map((version) => ({ ...version, kind: 'V' })),
      ...(answer.DeleteMarkers ?? []).map((marker) => ({ ...marker, kind: 'D' })),
    ]
    // The XML tells delete markers apart from the rest; within a page they are sorted by key all the same.
    for (const { kind, Key, VersionId, IsLatest } of both)
      found.push(
        `${kind} ${Key} ${VersionId?.replace(ID_PREFIX, '')?.replace(/^0+/, '')}${IsLatest ? '*' : ''}`,
      )
    prefixes.push(...(answer.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix))
    if (answer.IsTruncated !== true) return { pages, found, prefixes }
    expect(both.length + (answer.CommonPrefixes?.length ?? 0)).toBe(page.MaxKeys ?? 1000)
    markers = { KeyMarker: answer.NextKeyMarker, VersionIdMarker: answer.NextVersionIdMarker }
  }
}

describe('ListObjectVersions', () => {
  let bucket = ''
  beforeAll(async () => {
    bucket = await at.bucket()
    at.makeCurrent(bucket, 'a', { versionId: idOf(9) })
    for (const n of [3, 5, 7]) at.makeSuperseded(bucket, 'a', { versionId: idOf(n) })
    at.makeCurrent(bucket, 'b/1', { versionId: idOf(4), isMarker: true })
    at.makeSuperseded(bucket, 'b/1', { versionId: idOf(2) })
    at.makeSuperseded(bucket, 'b/1', { versionId: idOf(3), isMarker: true })
    at.makeCurrent(bucket, 'b/2')
    await at.send('PUT', `/${bucket}/c/`)
    at.makeCurrent(bucket, 'ü', { versionId: idOf(1) })
  })

  const ALL = [
    'V a 9*',
    'V a 7',
    'V a 5',
    'V a 3',
    'D b/1 4*',
    'D b/1 3',
    'V b/1 2',
    'V b/2 null*',
    'V c/ null*',
    'V ü 1*',
  ]

  test('tells every version: by key, the newest first', async () => {
    const { found, pages } = await list(bucket)
    expect(found.toSorted()).toEqual(ALL.toSorted())
    expect(pages).toBe(1)
  })

  test.each([1, 2, 3, 4, 5, 7, 9, 10])(
    'in pages of %i nothing is told twice or left out',
    async (MaxKeys) => {
      const { found, pages } = await list(bucket, { MaxKeys })
      if (MaxKeys === 1) expect(found).toEqual(ALL)
      expect(found.toSorted()).toEqual(ALL.toSorted())
      expect(pages).toBe(Math.ceil(ALL.length / MaxKeys))
    },
  )

  test('max-keys=0: an empty page that is the last', async () => {
    const answer = await at.send('GET', `/${bucket}?versions&max-keys=0`)
    expect(answer.element('IsTruncated')).toBe('false')
    expect(answer.elements('Key')).toEqual([])
    const none = await at.send('GET', '/no-such-bucket?versions&max-keys=0')
    expect(none.code).toBe('NoSuchBucket')
  })

  test('prefix and delimiter', async () => {
    const below = await list(bucket, { Prefix: 'b/', Delimiter: '/' })
    expect(below.found.toSorted()).toEqual(ALL.slice(4, 8).toSorted())
    expect(below.prefixes).toEqual([])
    for (const MaxKeys of [1, 2, 1000]) {
      const top = await list(bucket, { Delimiter: '/', MaxKeys })
      expect(top.found).toEqual([...ALL.slice(0, 4), ALL.at(-1)])
      expect(top.prefixes).toEqual(['b/', 'c/'])
    }
    const part = await list(bucket, { Prefix: 'b', Delimiter: '2' })
    expect(part.prefixes).toEqual(['b/2'])
    expect((await list(bucket, { Prefix: 'nothing' })).found).toEqual([])
  })

  test('a key marker is left out with all its versions, a version marker with what is newer', async () => {
    expect((await list(bucket, { KeyMarker: 'a' })).found.length).toBe(ALL.length - 4)
    const behind = await list(bucket, { KeyMarker: 'a', VersionIdMarker: idOf(7) })
    expect(behind.found.filter((one) => one.startsWith('V a'))).toEqual(['V a 5', 'V a 3'])
    // One that is gone has left its place.
    const gone = await list(bucket, { KeyMarker: 'a', VersionIdMarker: idOf(6) })
    expect(gone.found.filter((one) => one.startsWith('V a'))).toEqual(['V a 5', 'V a 3'])
    const hidden = { KeyMarker: 'b/1', VersionIdMarker: idOf(4), Delimiter: '/' }
    expect((await list(bucket, hidden)).found).toEqual(['V ü 1*'])
  })

  test.each([
    [
      'version-id-marker=null',
      'version-id-marker',
      'A version-id marker cannot be specified without a key marker.',
    ],
    ['key-marker=a&version-id-marker=..%2F..', 'version-id-marker', 'Invalid version id specified'],
    ['max-keys=-1', 'maxKeys', 'max-keys cannot be negative'],
    ['max-keys=x', 'max-keys', 'Provided x not an integer or within integer range'],
    ['encoding-type=x', 'encoding-type', 'Invalid Encoding Method specified in Request'],
  ])('%s is refused', async (query, name, message) => {
    const answer = await at.send('GET', `/${bucket}?versions&${query}`)
    expect([answer.status, answer.code, answer.element('ArgumentName'), answer.message]).toEqual([
      400,
      'InvalidArgument',
      name,
      message,
    ])
  })

  test('contract 9.2, 30: encoding-type=url', async () => {
    const answer = await at.send('GET', `/${bucket}?versions&encoding-type=url&prefix=%C3%BC`)
    expect(answer.elements('Key')).toEqual(['%C3%BC'])
    expect([answer.element('Prefix'), answer.element('EncodingType')]).toEqual(['%C3%BC', 'url'])
  })

  test('of a bucket that never had versions, every object is its null version', async () => {
    const plain = await at.bucket()
    for (const key of ['x', 'y/z']) at.makeCurrent(plain, key)
    expect((await list(plain)).found).toEqual(['V x null*', 'V y/z null*'])
  })

  test('what is no version among the versions is not listed', async () => {
    const odd = await at.bucket()
    at.makeCurrent(odd, 'k', { versionId: idOf(9) })
    const directory = at.versionsOf(odd, 'k')
    writeFileSync(join(directory, 'notes.txt'), 'x')
    mkdirSync(join(directory, idOf(1)))
    at.makeSuperseded(odd, 'k', { versionId: idOf(2) })
    expect((await list(odd)).found).toEqual(['V k 9*', 'V k 2'])
  })

  test('ten thousand versions of one key', async () => {
    const many = await at.bucket()
    at.makeCurrent(many, 'k', { versionId: idOf(20_000) })
    const directory = at.versionsOf(many, 'k')
    for (let n = 0; n < 10_000; n++) writeFileSync(join(directory, idOf(n)), '')
    const found: string[] = []
    let markers = ''
    for (let page = 1; page <= 11; page++) {
      const answer = await at.send('GET', `/${many}?versions${markers}`)
      found.push(...answer.elements('VersionId'))
      expect(answer.element('IsTruncated')).toBe(String(page < 11))
      markers = `&key-marker=k&version-id-marker=${answer.element('NextVersionIdMarker')}`
    }
    const older = Array.from({ length: 10_000 }, (_, n) => idOf(9_999 - n))
    expect(found).toEqual([idOf(20_000), ...older])
  })
})

describe('ListObjectVersions without a place for versions', () => {
  const plain = useGateway()

  test('tells every object as its null version', async () => {
    const bucket = await plain.bucket()
    for (const key of ['a', 'b']) await plain.send('PUT', `/${bucket}/${key}`, { body: 'x' })
    const answer = await plain.send('GET', `/${bucket}?versions`)
    expect(answer.elements('Key')).toEqual(['a', 'b'])
    expect(answer.elements('VersionId')).toEqual(['null', 'null'])
    expect(answer.elements('IsLatest')).toEqual(['true', 'true'])
  })
})
