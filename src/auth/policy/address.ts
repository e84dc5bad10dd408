import { isIP } from 'node:net'

/** Addresses that share their first `bits` bits. */
export interface AddressRange {
  readonly bytes: Uint8Array
  readonly bits: number
}

/** 4 or 16 bytes; undefined unless `text` is an address. An IPv4 address mapped into IPv6 is that IPv4 address. */
export function parseAddress(text: string): Uint8Array | undefined {
  const zone = text.indexOf('%')
  const address = zone < 0 ? text : text.slice(0, zone)
  switch (isIP(address)) {
    case 4:
      return Uint8Array.from(address.split('.'), Number)
    case 6:
      return unmapped(parseIpv6(address))
    default:
      return undefined
  }
}

/** `10.0.0.0/8`, `2001:db8::/32` or a lone address; undefined where it is neither. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const slash = text.indexOf('/')
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (bytes === undefined || text.includes('%')) return undefined
  const all = bytes.length * 8
  if (slash < 0) return { bytes, bits: all }
  const length = text.slice(slash + 1)
  if (!PREFIX_LENGTH.test(length)) return undefined
  // Of a mapped range the first 96 bits are those that say so.
  const bits = Number(length) - (bytes.length === 4 && text.includes(':') ? MAPPED_BITS : 0)
  return bits >= 0 && bits <= all ? { bytes, bits } : undefined
}

export function isInRange(address: Uint8Array, { bytes, bits }: AddressRange): boolean {
  if (address.length !== bytes.length) return false
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (address[i] !== bytes[i]) return false
  const rest = bits & 7
  return rest === 0 || ((address[whole] ?? 0) ^ (bytes[whole] ?? 0)) >> (8 - rest) === 0
}

const PREFIX_LENGTH = /^\d{1,3}$/
const MAPPED_BITS = 96

function parseIpv6(address: string): Uint8Array {
  const [head = '', tail] = address.split('::')
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const bytes = new Uint8Array(16)
  bytes.set(before)
  bytes.set(after, 16 - after.length)
  return bytes
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

function unmapped(bytes: Uint8Array): Uint8Array {
  const isMapped = bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every(isZero)
  return isMapped ? bytes.subarray(12) : bytes
}

function isZero(byte: number): boolean {
  return byte === 0
}
