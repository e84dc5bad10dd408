import { positionOf } from '../../io/beneath.ts'
import type { SidecarOptions } from '../../io/places.ts'
import { ATTRIBUTE, CONTENT_ATTRIBUTES, LEGACY_METADATA } from './attributes.ts'

/**
 * The directory of `--sidecar`, once it has been found fit; VersityGW's messages where it has some. One that holds the
 * served directory would keep the attributes of some bucket among the buckets.
 */
export async function openSidecar(
  directory: string,
  served: { readonly directory: string; readonly durable: boolean },
): Promise<SidecarOptions> {
  await positionOf(`${directory}/.`, directory).catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    const reason =
      code === 'ENOTDIR' ? 'not a directory' : `failed to stat directory: ${directory}: ${code}`
    throw new Error(`failed to init sidecar metadata: ${reason}`, { cause })
  })
  // A served directory that is not there is told of by who opens it.
  const position = await positionOf(directory, served.directory).catch(() => 'apart')
  if (position === 'same' || position === 'beneath')
    throw new Error(`${FAILURE}: sidecar directory cannot be inside the gateway root directory`)
  if (position === 'above')
    throw new Error(`${FAILURE}: gateway root directory cannot be inside the sidecar directory`)
  return { directory, durable: served.durable, placeOf: sidecarPlace }
}

const FAILURE = 'failed to init posix backend'

/**
 * Where beneath the sidecar directory the attributes of a path are: where the path is, but for two kinds of paths.
 *
 * An upload that is being completed has another name meanwhile, and its attributes stay where they are, with VersityGW too.
 * And a key that goes on with `meta` and the name of an attribute, `a/meta/etag`, would be stored where an attribute of
 * the object `a/` is: VersityGW fails there. It gets a component in between that no key has.
 */
export function sidecarPlace(path: string): string {
  return path.replace(CLAIMED, '$1').replace(COLLIDING, '/meta/.sgwtmp/$1')
}

const CLAIMED = /(\/\.sgwtmp\/multipart\/[0-9a-f]{64}\/[0-9a-f-]{36})\.[^/]*\.inprogress(?=\/|$)/

const NAMES = [
  ...Object.values(ATTRIBUTE),
  ...CONTENT_ATTRIBUTES.map(([name]) => name),
  'ownership',
  'versioning',
  'bucket-lock',
  'policy',
  'cors',
  'website',
  'sgw-file',
]

const COLLIDING = new RegExp(
  String.raw`/meta/((?:${NAMES.join('|')}|${LEGACY_METADATA.replace('.', '\\.')}[^/]*)(?=/|$))`,
  'g',
)
