import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  checksumsAttribute,
  decodeChecksums,
  decodeMultipart,
  encodeMultipart,
} from './attributes.ts'

describe('checksums', () => {
  const AFTER =
    ',"CRC64NVME":null,"SHA512":null,"MD5":null,"XXHASH64":null,"XXHASH3":null,"XXHASH128":null}'

  test('every key, nulls included, in VersityGW’s order', () => {
    const before = '{"Algorithm":"SHA256","Type":"COMPOSITE","CRC32":null,"CRC32C":null,"SHA1":null'
    expect(checksumsAttribute('SHA256', 'COMPOSITE', undefined)[1]).toBe(
      `${before},"SHA256":null${AFTER}`,
    )
    expect(checksumsAttribute('SHA256', 'COMPOSITE', 'abc=-2')[1]).toBe(
      `${before},"SHA256":"abc=-2"${AFTER}`,
    )
    const hole = { hasher: 'job', kind: 'sha256', encoding: 'base64' } as const
    expect(checksumsAttribute('SHA256', 'COMPOSITE', hole)[1]).toEqual([
      `${before},"SHA256":"`,
      hole,
      `"${AFTER}`,
    ])
  })

  test('the first and the last key have no comma too many', () => {
    for (const algorithm of ['CRC32', 'CRC64NVME'] as const) {
      const [, text] = checksumsAttribute(algorithm, '', 'x')
      expect(JSON.parse(text as string)).toMatchObject({ Algorithm: algorithm, [algorithm]: 'x' })
    }
  })

  test('what is stored is read, also of algorithms that are not computed here', () => {
    const read = (json: string) => decodeChecksums(Buffer.from(json))
    expect(read('{"Algorithm":"XXHASH3","Type":"FULL_OBJECT","XXHASH3":"Y3se//Qy4tI="}')).toEqual({
      algorithm: 'XXHASH3',
      type: 'FULL_OBJECT',
      value: 'Y3se//Qy4tI=',
    })
    expect(read('{"Algorithm":"CRC32","Type":"","CRC32":null}')?.value).toBeUndefined()
    for (const json of ['', '{}', 'null', '[]', '{"Algorithm":""}', 'x']) {
      expect(read(json)).toBeUndefined()
    }
  })
})

describe('mp-metadata', () => {
  const facts = { uploadId: 'u', parts: [5, 9] }

  test('gzip of JSON, and plain JSON', () => {
    expect(decodeMultipart(encodeMultipart(facts))).toEqual(facts)
    expect(decodeMultipart(Buffer.from(JSON.stringify(facts)))).toEqual(facts)
  })

  test('a bomb, and what is none, is nothing', () => {
    expect(decodeMultipart(gzipSync(Buffer.alloc(50_000_000)))).toBeUndefined()
    for (const text of ['', '{}', '\u001f\u008b', '{"uploadId":1,"parts":[]}']) {
      expect(decodeMultipart(Buffer.from(text, 'latin1'))).toBeUndefined()
    }
  })
})
