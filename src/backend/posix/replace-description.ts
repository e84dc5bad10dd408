import type { HashKind } from '../../io/io.ts'
import type { Call, Checksum, ChecksumAlgorithm, ObjectRef } from '../backend.ts'
import { ATTRIBUTE, CONTENT_ATTRIBUTES, LEGACY_METADATA, checksumsAttribute, hashKindOf, isComputable, type Attribute } from './attributes.ts'
import { toS3Error } from './errors.ts'
import type { OpenObject } from './get-object.ts'
import type { Volume } from './volume.ts'

export interface NewDescription {
  readonly description: readonly Attribute[]
  readonly keepsTags: boolean
  /** Asked for; else the stored one stays. */
  readonly checksum: ChecksumAlgorithm | undefined
}

/**
 * Rewrites what an object says of itself, on the file that it is: neither its bytes nor its mtime change. What is new is
 * written before what is gone is removed, so that a reader in between sees too much rather than too little.
 */
export async function replaceDescription(
  volume: Volume,
  ref: ObjectRef,
  object: OpenObject,
  { description, keepsTags, checksum: wanted }: NewDescription,
  call: Call,
): Promise<Checksum | undefined> {
  const checksum = await newChecksum(volume, ref, object, wanted, call)
  const attributes = [...description]
  if (checksum !== undefined) attributes.push(checksumsAttribute(checksum.algorithm, checksum.type, checksum.value))
  const kept = new Set(attributes.map(([name]) => name))
  const removed = [...object.attributes.keys()].filter((name) => isDescription(name, keepsTags) && !kept.has(name))
  const chain = volume.io.chain(call.span)
  chain.writeMetadata(object.fd, attributes)
  chain.writeMetadata(object.fd, [], { removed })
  if (volume.durable) chain.sync(object.fd, ref.key.endsWith('/') ? 'dir' : 'file')
  try {
    await chain.run()
  } catch (error) {
    throw toS3Error(error, 'other', ref)
  }
  return checksum
}

const CONTENT_NAMES: ReadonlySet<string> = new Set(CONTENT_ATTRIBUTES.map(([name]) => name))

function isDescription(name: string, keepsTags: boolean): boolean {
  if (name === ATTRIBUTE.tags) return !keepsTags
  return CONTENT_NAMES.has(name) || name === ATTRIBUTE.metadata || name.startsWith(LEGACY_METADATA)
}

/** The stored checksum where it will do; else one of all bytes. */
async function newChecksum(
  volume: Volume,
  ref: ObjectRef,
  object: OpenObject,
  wanted: ChecksumAlgorithm | undefined,
  call: Call,
): Promise<Checksum | undefined> {
  const stored = object.head.checksum
  const algorithm = wanted ?? stored?.algorithm
  if (algorithm === undefined || !isComputable(algorithm)) return undefined
  if (stored?.algorithm === algorithm) return { ...stored, algorithm }
  const sum = await hashFile(volume, ref, object, hashKindOf(algorithm), call)
  return { algorithm, type: 'FULL_OBJECT', value: sum.toString('base64') }
}

const PIECE_BYTES = 1024 * 1024

async function hashFile(volume: Volume, ref: ObjectRef, { fd, head }: OpenObject, kind: HashKind, call: Call): Promise<Buffer> {
  const hasher = volume.io.hasher([kind])
  try {
    for (let offset = 0; offset < head.size; offset += PIECE_BYTES) {
      const reading = volume.io.chain(call.span, { bulk: true })
      const piece = reading.readData(fd, { offset, length: Math.min(PIECE_BYTES, head.size - offset) })
      await reading.run()
      const hashing = volume.io.chain(call.span, { bulk: true, record: false })
      hashing.hash([piece.value], hasher)
      await hashing.run()
    }
    const chain = volume.io.chain(call.span, { record: false })
    const digest = chain.digest(hasher, kind)
    await chain.run()
    return digest.value
  } catch (error) {
    throw toS3Error(error, 'object', ref)
  } finally {
    hasher.free()
  }
}
