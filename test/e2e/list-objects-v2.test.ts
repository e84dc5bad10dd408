import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { md5Hex } from '../support/checksums.ts'
import { failure, useGateway } from '../support/fixture.ts'
import { encode } from '../support/sigv4.ts'

const at = useGateway()
/** In the order of their bytes, which is not the order of a walk: `b-x` stands before `b/1`. */
const KEYS = ['a', 'b-x', 'b/1', 'b/2', 'c/d/1', 'c/d/2', 'c/e', 'dirobj/', 'full/', 'full/x', 'z']
let bucket = ''

/** Straight to the disk: what is tested here is reading. */
function place(where: string, ...keys: string[]): void {
  for (const key of keys) {
    const path = at.path(where, key)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'x')
  }
}

beforeAll(async () => {
  bucket = await at.bucket()
  for (const key of KEYS)
    await at.send('PUT', `/${bucket}/${key}`, { body: key.endsWith('/') ? '' : 'x' })
  mkdirSync(at.path(bucket, 'empty/inner'), { recursive: true })
})

interface Listed {
  readonly keys: readonly string[]
  readonly prefixes: readonly string[]
  readonly truncated: boolean
  readonly next: string | undefined
}

async function list(query: string, where = bucket): Promise<Listed> {
  const { status, text, elements, element } = await at.send(
    'GET',
    `/${where}?list-type=2${query === '' ? '' : `&${query}`}`,
  )
  expect([query, status, status === 200 ? '' : text]).toEqual([query, 200, ''])
  return {
    keys: elements('Key'),
    prefixes: [...text.matchAll(/<CommonPrefixes><Prefix>([^<]*)</g)].map(
      ([, prefix = '']) => prefix,
    ),
    truncated: element('IsTruncated') === 'true',
    next: element('NextContinuationToken'),
  }
}

/** All pages one after the other, by their tokens. */
async function walk(query: string, where = bucket): Promise<string[]> {
  const found: string[] = []
  let token = ''
  for (let page = 0; page < 1000; page++) {
    const listed = await list([query, token].filter((part) => part !== '').join('&'), where)
    found.push(...[...listed.keys, ...listed.prefixes].toSorted(byBytes))
    if (!listed.truncated) return found
    token = `continuation-token=${encode(listed.next ?? '')}`
  }
  throw new Error('the listing does not end')
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

describe('ListObjectsV2', () => {
  test('all keys in byte order; implicit and empty directories are no keys', async () => {
    const listed = await list('')
    expect(listed).toEqual({ keys: KEYS, prefixes: [], truncated: false, next: undefined })
  })

  test('the document (contract 6.3)', async () => {
    const { text, header } = await at.send('GET', `/${bucket}?list-type=2&prefix=a`)
    expect(header('content-type')).toBe('application/xml')
    expect(header('x-amz-bucket-region')).toBe('us-east-1')
    expect(text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'DATE')).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name>` +
        '<Prefix>a</Prefix><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><LastModified>DATE</LastModified>' +
        `<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><ETag>&#34;${md5Hex('x')}&#34;</ETag>` +
        '<Key>a</Key><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents><EncodingType></EncodingType></ListBucketResult>',
    )
  })

  test.each([
    ['delimiter=/', ['a', 'b-x', 'z'], ['b/', 'c/', 'dirobj/', 'empty/', 'full/']],
    ['prefix=b', ['b-x', 'b/1', 'b/2'], []],
    ['prefix=b&delimiter=/', ['b-x'], ['b/']],
    ['prefix=b/&delimiter=/', ['b/1', 'b/2'], []],
    ['prefix=c/&delimiter=/', ['c/e'], ['c/d/']],
    ['prefix=c/d/&delimiter=/', ['c/d/1', 'c/d/2'], []],
    ['prefix=c/d', ['c/d/1', 'c/d/2'], []],
    ['prefix=full/&delimiter=/', ['full/', 'full/x'], []],
    ['prefix=dirobj/', ['dirobj/'], []],
    ['prefix=none', [], []],
    ['prefix=z/', [], []],
    ['prefix=/', [], []],
    ['prefix=../', [], []],
    ['prefix=b//', [], []],
    ['delimiter=d', ['a', 'b-x', 'b/1', 'b/2', 'c/e', 'full/', 'full/x', 'z'], ['c/d', 'd']],
    [
      'delimiter=/d/',
      ['a', 'b-x', 'b/1', 'b/2', 'c/e', 'dirobj/', 'full/', 'full/x', 'z'],
      ['c/d/'],
    ],
    ['prefix=&delimiter=&start-after=', KEYS, []],
    ['start-after=b/1', KEYS.slice(3), []],
    ['start-after=b', KEYS.slice(1), []],
    ['start-after=b0', KEYS.slice(4), []],
    ['start-after=zz', [], []],
    ['max-keys=0', [], []],
  ])('%s', async (query, keys, prefixes) => {
    const listed = await list(query)
    expect([listed.keys, listed.prefixes]).toEqual([keys, prefixes])
    expect(listed.truncated).toBe(false)
  })

  test.each(['', 'delimiter=/', 'prefix=b', 'prefix=c/&delimiter=/', 'delimiter=d'])(
    'pages of every size add up: %s',
    async (query) => {
      const whole = await list(query)
      const all = [...whole.keys, ...whole.prefixes].toSorted(byBytes)
      for (const size of [1, 2, 3, 5, 11]) {
        // Where a page is full and nothing but directories follows, upstream gives one empty page more: only the sum counts.
        expect([
          size,
          await walk([`max-keys=${size}`, query].filter((part) => part !== '').join('&')),
        ]).toEqual([size, all])
      }
    },
  )

  test('KeyCount counts keys, tokens and start-after are echoed (contract 3.8)', async () => {
    const first = await at.send('GET', `/${bucket}?list-type=2&delimiter=/&max-keys=3`)
    expect([first.element('KeyCount'), first.element('MaxKeys')]).toEqual(['2', '3'])
    expect(first.element('IsTruncated')).toBe('true')
    const after = await at.send('GET', `/${bucket}?list-type=2&start-after=b`)
    expect([after.element('StartAfter'), after.element('ContinuationToken')]).toEqual(['b', 'b'])
  })

  test('owners only with fetch-owner', async () => {
    const own = `o-${Date.now()}`
    await at.send('PUT', `/${own}`)
    await at.send('PUT', `/${own}/k`, { body: 'x' })
    expect((await at.send('GET', `/${own}?list-type=2`)).text).not.toContain('<Owner>')
    const owned = await at.send('GET', `/${own}?list-type=2&fetch-owner=true`)
    expect(owned.text).toContain(`<Owner><ID>${at.credentials.access}</ID></Owner>`)
  })

  test('max-keys', async () => {
    expect((await at.send('GET', `/${bucket}?list-type=2&max-keys=2000`)).element('MaxKeys')).toBe(
      '1000',
    )
    for (const [value, message] of [
      ['x', 'Provided x not an integer or within integer range'],
      ['99999999999', 'Provided 99999999999 not an integer or within integer range'],
      ['-1', 'Argument -1 must be an integer between 0 and 2147483647'],
    ] as const) {
      const answer = await at.send('GET', `/${bucket}?list-type=2&max-keys=${value}`)
      expect([value, answer.status, answer.code, answer.element('ArgumentName')]).toEqual([
        value,
        400,
        'InvalidArgument',
        'max-keys',
      ])
      expect(answer.message).toBe(message)
    }
  })

  test('encoding-type=url (contract 9.2, 30)', async () => {
    const odd = await at.bucket()
    const keys = ['a b+c', 'ctl\u0001x', 'dir ü/1', 'per%cent']
    place(odd, ...keys)
    const { Contents, CommonPrefixes, EncodingType } = await at.s3.send(
      new ListObjectsV2Command({ Bucket: odd, EncodingType: 'url', Delimiter: '/' }),
    )
    expect(EncodingType).toBe('url')
    const decoded = Contents?.map(({ Key = '' }) => decodeURIComponent(Key.replaceAll('+', ' ')))
    expect(decoded).toEqual(['a b+c', 'ctl\u0001x', 'per%cent'])
    expect(decodeURIComponent(CommonPrefixes?.[0]?.Prefix ?? '')).toBe('dir ü/')
    const unknown = await at.send('GET', `/${odd}?list-type=2&encoding-type=foo`)
    expect([200, 400]).toContain(unknown.status)
  })

  test('without it the document is well-formed whatever the keys hold', async () => {
    const odd = await at.bucket()
    place(odd, 'tab\tx', 'lf\nx', 'amp&<>"x', 'del\u007fx')
    const { text } = await at.send('GET', `/${odd}?list-type=2`)
    // eslint-disable-next-line no-control-regex
    expect(text.slice(text.indexOf('<ListBucketResult'))).not.toMatch(/[\u0000-\u001f]/)
    for (const written of ['tab&#x9;x', 'lf&#xA;x', 'amp&amp;&lt;&gt;', 'del\u007fx'])
      expect(text).toContain(written)
  })

  test('temporary files, symbolic links and pipes are no objects', async () => {
    const mixed = await at.bucket()
    place(mixed, 'k', '.sgwtmp/multipart/x', 'sub/.sgwtmp/y', 'sub/k')
    symlinkSync('/etc/passwd', at.path(mixed, 'link'))
    symlinkSync('sub', at.path(mixed, 'link-to-dir'))
    execFileSync('mkfifo', [at.path(mixed, 'fifo')])
    expect((await list('', mixed)).keys).toEqual(['k', 'sub/k'])
    expect((await list('delimiter=/', mixed)).prefixes).toEqual(['sub/'])
  })

  test('1,500 keys come in two pages', async () => {
    const many = await at.bucket()
    const keys = Array.from({ length: 1500 }, (_, i) => `k${String(i).padStart(5, '0')}`)
    place(many, ...keys)
    const first = await list('', many)
    expect([first.keys.length, first.truncated, first.next]).toEqual([1000, true, 'k00999'])
    expect(await walk('', many)).toEqual(keys)
  })

  test('keys made and removed while a listing goes on do not disturb the others', async () => {
    const busy = await at.bucket()
    const keys = Array.from({ length: 300 }, (_, i) => `stay-${String(i).padStart(3, '0')}`)
    place(busy, ...keys)
    const churn = (async () => {
      for (let i = 0; i < 40; i++) {
        await at.send('PUT', `/${busy}/come-${i}`, { body: 'x' })
        await at.send('DELETE', `/${busy}/come-${i}`)
      }
    })()
    const found = await walk('max-keys=20&prefix=stay', busy)
    await churn
    expect(found).toEqual(keys)
  })

  test('a bucket that does not exist', async () => {
    const error = await failure(at.s3.send(new ListObjectsV2Command({ Bucket: 'no-such-bucket' })))
    expect([error.status, error.name]).toEqual([404, 'NoSuchBucket'])
  })
})
