import { lookup } from 'node:dns/promises'
import { isIP, isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Listener } from './listener.ts'

/** One listener for each address of a host name; all others as they are. Rejects where a name leads nowhere. */
export async function expandNames(listeners: readonly Listener[]): Promise<readonly Listener[]> {
  const expanded = await Promise.all(listeners.map(expand))
  return expanded.flat()
}

async function expand(listener: Listener): Promise<readonly Listener[]> {
  if ('path' in listener || listener.host === undefined || isIP(listener.host) !== 0)
    return [listener]
  const { host, port } = listener
  const found = await lookup(host, { all: true })
  const addresses = usableAddresses(
    found.map(({ address }) => address),
    hasIPv6(),
  )
  if (addresses.length === 0) throw new Error(`${host} has no address to listen on`)
  return addresses.map((address) => ({ host: address, port }))
}

/**
 * Those of a name's addresses that a socket can be bound to, each once. Link-local ones mean nothing without an
 * interface, which a name does not tell. Where IPv6 is turned off, as in many containers, /etc/hosts still has
 * `::1 localhost`: an IPv4 address beside it will do.
 */
export function usableAddresses(addresses: readonly string[], ipv6: boolean): readonly string[] {
  const routable = [...new Set(addresses)].filter((address) => !LINK_LOCAL.test(address))
  const v4 = routable.filter((address) => isIPv4(address))
  return ipv6 || v4.length === 0 ? routable : v4
}

/** 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291, 2.4). */
const LINK_LOCAL = /^(?:169\.254\.|fe[89ab][\da-f]:)/i

function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).some((one) => one?.some((at) => at.family === 'IPv6'))
}
