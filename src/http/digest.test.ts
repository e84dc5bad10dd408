import { expect, test } from 'vitest'
import { computeDigest } from './digest.ts'

const CHECK = Buffer.from('123456789')

/** The check values of the CRC catalogue (https://reveng.sourceforge.io/crc-catalogue/all.htm), and RFC 1321, 3174, 6234. */
test.each([
  ['crc32', 'cbf43926'],
  ['crc32c', 'e3069283'],
  ['crc64nvme', 'ae8b14860a799888'],
  ['md5', '25f9e794323b453885f5181f1b624d0b'],
  ['sha1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
  ['sha256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
] as const)('%s', (kind, hex) => {
  expect(computeDigest(kind, CHECK).toString('hex')).toBe(hex)
})

test.each([
  ['crc32', '00000000'],
  ['crc32c', '00000000'],
  ['crc64nvme', '0000000000000000'],
] as const)('%s of nothing', (kind, hex) => {
  expect(computeDigest(kind, Buffer.alloc(0)).toString('hex')).toBe(hex)
})
