import { describe, expect, test } from 'vitest'
import { errorOf } from '../../test/support/s3-errors.ts'
import { checkBucketName, checkKey, isBucketName, normalizeKey } from './names.ts'

describe('contract 2.1: strict bucket names', () => {
  test.each(['abc', 'a-b.c', '0ab', 'a'.repeat(63), '1.2.3', '1.2.3.4a', 'a.1.2.3.4', '1-2.3.4.5'])(
    '%s',
    (name) => {
      expect(isBucketName(name, true)).toBe(true)
    },
  )

  test.each([
    '',
    'ab',
    'a'.repeat(64),
    'Abc',
    'a_b',
    '-ab',
    'ab-',
    '.ab',
    'ab.',
    'a b',
    'ä-b',
    'a/b',
    'a\0b',
    'abc\n',
    '1.2.3.4',
    '192.168.5.4',
    '.',
    '..',
    '.sgwtmp',
    '%2e%2e',
    'a'.repeat(100_000),
  ])('A4: not %j', (name) => {
    expect(errorOf(() => checkBucketName(name, true))).toMatchObject({
      code: 'InvalidBucketName',
      details: { BucketName: name },
    })
  })
})

describe('contract 2.1: relaxed bucket names', () => {
  test.each(['ab', 'A_b', 'ä b', '1.2.3.4', '-', 'a'.repeat(255)])('%s', (name) => {
    expect(isBucketName(name, false)).toBe(true)
  })

  test.each(['', '.', '..', '.sgwtmp', 'a/b', 'a\0b', 'a'.repeat(256), 'ä'.repeat(128)])(
    'A4: not %j',
    (name) => {
      expect(isBucketName(name, false)).toBe(false)
    },
  )
})

describe('contract 2.1: keys are cleaned', () => {
  test.each([
    ['a', 'a'],
    ['a/b', 'a/b'],
    ['a/', 'a/'],
    ['a//b', 'a/b'],
    ['a//', 'a/'],
    ['/a', 'a'],
    ['//b', 'b'],
    ['./b', 'b'],
    ['a/./b', 'a/b'],
    ['a/.', 'a'],
    ['a/./', 'a/'],
    ['a/../b', 'b'],
    ['a/b/../../c/', 'c/'],
    ['a/b/..', 'a'],
    ['.a', '.a'],
    ['..a', '..a'],
    ['a..', 'a..'],
    ['...', '...'],
    ['a/.b/..c/d.', 'a/.b/..c/d.'],
    ['%2e%2e/a', '%2e%2e/a'],
    ['..\\a', '..\\a'],
    ['a\nb', 'a\nb'],
    ['ünï/日本', 'ünï/日本'],
    [' ', ' '],
    ['.sgwtmp2', '.sgwtmp2'],
    ['a.sgwtmp', 'a.sgwtmp'],
  ])('%j is %j', (key, path) => {
    expect(normalizeKey(key)).toBe(path)
    expect(normalizeKey(path)).toBe(path)
  })

  test.each([
    '',
    '.',
    '..',
    '/',
    '//',
    './',
    '../',
    'a/..',
    'a/../',
    './.',
    '../a',
    'a/../../b',
    '/../a',
    'a/b/../../../a',
    '..//a',
    './../a',
    'a\0b',
    '\0',
    '.sgwtmp',
    '.sgwtmp/',
    '.sgwtmp/multipart/x',
    'a/.sgwtmp/b',
    'a/../.sgwtmp',
    './/.sgwtmp//x',
    'a/.sgwtmp',
  ])('A1: %j is 400 Bad Request', (key) => {
    expect(errorOf(() => checkKey(key))).toMatchObject({
      code: '400',
      status: 400,
      message: 'Bad Request',
    })
  })

  test('a key of 900 bytes is a key, one of 1025 is too long', () => {
    expect(normalizeKey('a/'.repeat(450))).toHaveLength(900)
    expect(normalizeKey('a'.repeat(1024))).toHaveLength(1024)
    expect(normalizeKey('é'.repeat(512))).toHaveLength(512)
    for (const key of ['a'.repeat(1025), `${'é'.repeat(512)}a`, '日'.repeat(342)]) {
      const size = String(Buffer.byteLength(key))
      expect(errorOf(() => checkKey(key))).toMatchObject({
        code: 'KeyTooLongError',
        details: { Size: size, MaxSizeAllowed: '1024' },
      })
    }
  })

  test('A1: whatever is accepted stays beneath the bucket', () => {
    const parts = ['..', '.', '', 'a', '.sgwtmp', '\0', 'b..', '%2e']
    const escaped: string[] = []
    for (let n = 0; n < 8 ** 5; n++) {
      const key = Array.from({ length: 5 }, (_, i) => parts[Math.floor(n / 8 ** i) % 8]).join('/')
      let path: string
      try {
        path = normalizeKey(key)
      } catch {
        continue
      }
      const components = path.replace(/\/$/, '').split('/')
      if (
        components.some((part) => ['', '.', '..', '.sgwtmp'].includes(part) || part.includes('\0'))
      ) {
        escaped.push(`${JSON.stringify(key)} became ${JSON.stringify(path)}`)
      }
    }
    expect(escaped).toEqual([])
  })
})
