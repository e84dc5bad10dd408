import type { Backend } from './backend/backend.ts'
import { limitCalls } from './backend/limited.ts'
import { createPosixBackend } from './backend/posix/index.ts'
import { openSidecar } from './backend/posix/sidecar.ts'
import type { Config } from './config.ts'
import type { Io } from './io/io.ts'
import type { SidecarOptions } from './io/places.ts'

/** Where the attributes of files are kept. */
export async function openAttributes({
  posix,
}: Config): Promise<'xattr' | 'none' | SidecarOptions> {
  const { attributes, directory, durability } = posix
  if (typeof attributes === 'string') return attributes
  const { sidecar } = attributes
  return openSidecar(sidecar, { directory, durable: durability === 'full' })
}

export function attributeNotices({ posix: { attributes } }: Config): readonly string[] {
  return typeof attributes === 'string'
    ? []
    : [`Using sidecar directory for metadata: ${attributes.sidecar}`]
}

/** No request pays for a limit that nobody has asked for: the I/O pool has one of its own. */
export async function openBackend({ posix, sources, dialect }: Config, io: Io): Promise<Backend> {
  const backend = await createPosixBackend({
    ...posix,
    io,
    storesDefaultRetention: dialect === 'aws',
  })
  return sources.concurrency === 'default' ? backend : limitCalls(backend, posix.concurrency)
}
