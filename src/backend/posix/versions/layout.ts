import { ATTRIBUTE } from '../attributes.ts'
import type { StoredAttributes } from '../head.ts'
import { keyHash } from '../paths.ts'

/**
 * Superseded versions lie in the versioning directory, one file each with all its attributes:
 * `{bucket}/{h[0:2]}/{h[2:4]}/{h[4:6]}/{h}/{version id}`, where h is the hash of the key. The current version is the file
 * under the key itself, and never lies there, but for the moment in which it is about to be superseded (contract 2.5).
 */

/** The id of an object that was written while its bucket had no versioning, or had it suspended. */
export const NULL_VERSION = 'null'

/** Where the superseded versions of a key lie, beneath the bucket's directory in the versioning directory. */
export function versionsOfKey(key: string): string {
  const hash = keyHash(key)
  return `${hash.slice(0, 2)}/${hash.slice(2, 4)}/${hash.slice(4, 6)}/${hash}`
}

/** Whether a name in that directory is a version's. */
export function isVersionName(name: string): boolean {
  return name === NULL_VERSION || /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(name)
}

/** Which version a file is, whatever it is called. */
export function versionIdOf(attributes: StoredAttributes): string {
  return attributes.get(ATTRIBUTE.versionId)?.toString() ?? NULL_VERSION
}
