import { expect, test } from 'vitest'
import { errorOf } from '../../test/support/s3-errors.ts'
import { parseTaggingHeader } from './tags.ts'

const many = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=v`).join('&')

test.each<[string | undefined, Record<string, string> | undefined]>([
  [undefined, undefined],
  ['', {}],
  ['a=b', { a: 'b' }],
  ['a=b&c=', { a: 'b', c: '' }],
  ['a', { a: '' }],
  ['a+b=c%20d%2Be', { 'a b': 'c d+e' }],
  ['k%C3%A9=%E6%97%A5', { ké: '日' }],
  ['a=b=c', { a: 'b=c' }],
  ['__proto__=x', { ['__proto__']: 'x' }],
  [`${'k'.repeat(128)}=${'v'.repeat(256)}`, { ['k'.repeat(128)]: 'v'.repeat(256) }],
  [`${'%C3%A9'.repeat(128)}=x`, { ['é'.repeat(128)]: 'x' }],
])('contract 3.1: x-amz-tagging %s', (header, tags) => {
  expect(JSON.stringify(parseTaggingHeader(header))).toBe(JSON.stringify(tags))
})

test.each<[string, string, string]>([
  [
    'a=b&a=c',
    'InvalidArgument',
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
  ],
  [
    '=b',
    'InvalidArgument',
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
  ],
  [
    'a=%zz',
    'InvalidArgument',
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
  ],
  [
    'a=%ff',
    'InvalidArgument',
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
  ],
  [`${'k'.repeat(129)}=v`, 'InvalidTag', 'The TagKey you have provided is invalid'],
  ['a%3Cb=v', 'InvalidTag', 'The TagKey you have provided is invalid'],
  [`a=${'v'.repeat(257)}`, 'InvalidTag', 'The TagValue you have provided is invalid'],
  ['a=%0d%0a', 'InvalidTag', 'The TagValue you have provided is invalid'],
  [many(11), 'BadRequest', 'Object tags cannot be greater than 10'],
])('contract 6.4: x-amz-tagging %s', (header, code, message) => {
  expect(errorOf(() => parseTaggingHeader(header))).toMatchObject({ code, message })
})

test('contract 6.3: ten tags', () => {
  expect(Object.keys(parseTaggingHeader(many(10)) ?? {})).toHaveLength(10)
})
