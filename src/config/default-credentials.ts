import { isIPv4 } from 'node:net'
import type { Listener } from '../http/listener.ts'
import { ConfigError } from './values.ts'

/** Pairs that every scanner tries: what S3 servers come with, and what AWS's documentation shows. */
const WELL_KNOWN: readonly (readonly [access: string, secret: string])[] = [
  ['minioadmin', 'minioadmin'],
  ['minio', 'minio123'],
  ['rustfsadmin', 'rustfsadmin'],
  ['admin', 'admin'],
  ['admin', 'password'],
  ['root', 'root'],
  ['root', 'password'],
  ['test', 'test'],
  ['user', 'password'],
  ['accessKey1', 'verySecretKey1'],
  ['AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'],
  ['AKIAI44QH8DHBEXAMPLE', 'je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY'],
  ['0555b35654ad1656d804', 'h7GhxuBLTrlhVUyxSPUKUZV8r/2EI4ngqJxD7iBdBYLhwluN30JaT3Q=='],
]

/** Refuses to offer the whole world a door whose key it has. On loopback, where demos run, anything goes. */
export function refuseWellKnown(
  root: { readonly access: string; readonly secret: string },
  listeners: readonly Listener[],
): void {
  if (!WELL_KNOWN.some(([access, secret]) => access === root.access && secret === root.secret))
    return
  if (listeners.every(isPrivate)) return
  throw new ConfigError(
    'the root credentials are well-known default ones: choose others, or listen on 127.0.0.1 only',
  )
}

/** Reached from this host alone. A name other than localhost may be any address. */
function isPrivate(listener: Listener): boolean {
  if ('path' in listener) return true
  const { host } = listener
  return host === 'localhost' || host === '::1' || (host !== undefined && isLoopback(host))
}

/** 127.0.0.0/8: https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3 */
function isLoopback(host: string): boolean {
  const address = host.toLowerCase().replace(/^::ffff:/, '')
  return isIPv4(address) && address.startsWith('127.')
}
