import { expect, test } from 'vitest'
import { usableAddresses } from './addresses.ts'

/** Contract 1.2: "Host names expand to all addresses; link-local ones skipped". */
test.each([
  ['all are taken, in the order of the resolver', ['::1', '10.0.0.1'], ['::1', '10.0.0.1']],
  ['each once', ['10.0.0.1', '::1', '10.0.0.1'], ['10.0.0.1', '::1']],
  ['link-local IPv4 is skipped', ['169.254.1.2', '169.25.4.1'], ['169.25.4.1']],
  ['all of fe80::/10 is', ['fe80::1', 'FEBF::1', 'fe80::1%eth0', 'fec0::1'], ['fec0::1']],
  ['a name may have none left', ['fe80::1', '169.254.0.1'], []],
])('%s', (_, addresses, expected) => {
  expect(usableAddresses(addresses, true)).toEqual(expected)
})

test('where IPv6 is off, IPv4 addresses will do', () => {
  expect(usableAddresses(['::1', '127.0.0.1'], false)).toEqual(['127.0.0.1'])
  expect(usableAddresses(['::1'], false)).toEqual(['::1'])
})
