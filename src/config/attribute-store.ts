import { resolve as resolvePath } from 'node:path'
import type { POSIX_SETTINGS } from './posix-settings.ts'
import type { Values } from './setting.ts'
import { ConfigError } from './values.ts'

/** Where attributes are kept: with the files, in the sidecar directory (absolute), or nowhere. */
export type AttributeStore = 'xattr' | 'none' | { readonly sidecar: string }

export function attributeStore({
  sidecar = '',
  nometa,
  multipartLayout,
}: Pick<Values<typeof POSIX_SETTINGS>, 'sidecar' | 'nometa' | 'multipartLayout'>): AttributeStore {
  if (multipartLayout === 'slots' && (nometa || sidecar !== ''))
    throw new ConfigError('--multipart-layout slots needs extended attributes')
  if (sidecar !== '' && nometa) throw new ConfigError('cannot use both nometa and sidecar metadata')
  if (nometa) return 'none'
  return sidecar === '' ? 'xattr' : { sidecar: resolvePath(sidecar) }
}
