import { expect, test } from 'vitest'
import { computeDigest } from './digest.ts'

const CHECK = Buffer.from('123456789')

/**
 * The check values of the CRC catalogue (https://reveng.sourceforge.io/crc-catalogue/all.htm), RFC 1321, 3174, 6234 and,
 * of XXH in its canonical (big-endian) form, the xxhash package of Python.
 */
test.each([
  ['crc32', 'cbf43926'],
  ['crc32c', 'e3069283'],
  ['crc64nvme', 'ae8b14860a799888'],
  ['md5', '25f9e794323b453885f5181f1b624d0b'],
  ['sha1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
  ['sha256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
  [
    'sha512',
    'd9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85',
  ],
  ['xxh64', '8cb841db40e6ae83'],
  ['xxh3', '72dcb18b67a17dff'],
  ['xxh128', '33119477ede5dcd5e9716427681d5860'],
] as const)('%s', (kind, hex) => {
  expect(computeDigest(kind, CHECK).toString('hex')).toBe(hex)
})

test.each([
  ['crc32', '00000000'],
  ['crc32c', '00000000'],
  ['crc64nvme', '0000000000000000'],
  ['xxh64', 'ef46db3751d8e999'],
  ['xxh3', '2d06800538d394c2'],
  ['xxh128', '99aa06d3014798d86001c324468d497f'],
] as const)('%s of nothing', (kind, hex) => {
  expect(computeDigest(kind, Buffer.alloc(0)).toString('hex')).toBe(hex)
})
