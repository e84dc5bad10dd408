import type { HashKind } from '../../io/io.ts'
import { SPAN } from '../../trace/names.ts'
import type { Checksum, ChecksumAlgorithm, ObjectRef } from '../backend.ts'
import {
  ATTRIBUTE,
  CONTENT_ATTRIBUTES,
  LEGACY_METADATA,
  checksumsAttribute,
  hashKindOf,
  isComputable,
  type Attribute,
} from './attributes.ts'
import { toS3Error } from './errors.ts'
import type { OpenObject } from './opened.ts'
import type { Task } from './task.ts'

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
  task: Task<ObjectRef>,
  object: OpenObject,
  { description, keepsTags, checksum: wanted }: NewDescription,
): Promise<Checksum | undefined> {
  try {
    const checksum = await newChecksum(task, object, wanted)
    const attributes = [...description]
    if (checksum !== undefined) {
      attributes.push(checksumsAttribute(checksum.algorithm, checksum.type, checksum.value))
    }
    const kept = new Set(attributes.map(([name]) => name))
    const stored = [...object.attributes.keys()]
    const removed = stored.filter((name) => isDescription(name, keepsTags) && !kept.has(name))
    const chain = task.chain()
    chain.writeMetadata(object.fd, attributes)
    chain.writeMetadata(object.fd, [], { removed })
    if (task.volume.durable) chain.sync(object.fd, task.subject.key.endsWith('/') ? 'dir' : 'file')
    await chain.run()
    return checksum
  } catch (error) {
    throw toS3Error(error, 'other', task.subject)
  }
}

const CONTENT_NAMES: ReadonlySet<string> = new Set(CONTENT_ATTRIBUTES.map(([name]) => name))

function isDescription(name: string, keepsTags: boolean): boolean {
  if (name === ATTRIBUTE.tags) return !keepsTags
  return CONTENT_NAMES.has(name) || name === ATTRIBUTE.metadata || name.startsWith(LEGACY_METADATA)
}

/** The stored checksum where it will do; else one of all bytes. */
async function newChecksum(
  task: Task,
  object: OpenObject,
  wanted: ChecksumAlgorithm | undefined,
): Promise<Checksum | undefined> {
  const stored = object.head.checksum
  const algorithm = wanted ?? stored?.algorithm
  if (algorithm === undefined || !isComputable(algorithm)) return undefined
  if (stored?.algorithm === algorithm) return { ...stored, algorithm }
  const sum = await hashFile(task, object, hashKindOf(algorithm))
  return { algorithm, type: 'FULL_OBJECT', value: sum.toString('base64') }
}

const PIECE_BYTES = 1024 * 1024

async function hashFile(task: Task, { fd, head }: OpenObject, kind: HashKind): Promise<Buffer> {
  const hasher = task.volume.io.hasher([kind])
  const span = task.span.child(SPAN.readData, {
    'posix.bytes_read': head.size,
    'posix.range_start': 0,
  })
  try {
    for (let offset = 0; offset < head.size; offset += PIECE_BYTES) {
      const reading = task.chain({ bulk: true, record: false })
      const length = Math.min(PIECE_BYTES, head.size - offset)
      const piece = reading.readData(fd, { offset, length })
      await reading.run()
      if (offset === 0) span.set('posix.queue_ms', reading.times(piece).queueNs / 1e6)
      const hashing = task.chain({ bulk: true, record: false })
      hashing.hash([piece.value], hasher)
      await hashing.run()
    }
    const chain = task.chain({ record: false })
    const digest = chain.digest(hasher, kind)
    await chain.run()
    return digest.value
  } finally {
    hasher.free()
    span.end()
  }
}
