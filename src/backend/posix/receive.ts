import { createFileWriter } from '../../io/file-writer.ts'
import type { HashKind } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import type { AnyPayload } from '../payload.ts'
import type { DigestReader } from './collected.ts'
import { toS3Error } from './errors.ts'
import type { Facts } from './publish.ts'
import type { Task } from './task.ts'

/** Where a body goes. */
export interface Reception {
  readonly fd: number
  /** Of its first byte in the file: 0 unless said otherwise. */
  readonly offset?: number
  /** The kernel begins to write to the disk as the bytes come. */
  readonly startWriteback: boolean
  /** Digests wanted. */
  readonly kinds: readonly HashKind[]
  /** More attributes of the span. */
  readonly facts?: Facts
}

export interface Received {
  /** Bytes. */
  readonly size: number
  readonly digest: DigestReader
}

/**
 * Writes a body to a temporary file while it arrives, hashing it on the way, and holds its digests against what the client
 * declared. Throws unless every byte came and every digest is right.
 */
export async function receive(
  task: Task,
  payload: AnyPayload,
  { fd, offset, startWriteback, kinds, facts }: Reception,
): Promise<Received> {
  const { io } = task.volume
  const wanted = [...new Set([...kinds, ...payload.kinds])]
  const hasher = io.hasher(wanted)
  const writer = createFileWriter(io, {
    span: task.span,
    file: fd,
    attributes: facts,
    offset,
    hasher,
    startWriteback,
  })
  try {
    await payload.pump(writer)
    const size = await writer.finish()
    if (size !== (payload.length ?? size)) throw new S3Error('IncompleteBody')
    const chain = task.chain({ record: false })
    const steps = new Map(wanted.map((kind) => [kind, chain.digest(hasher, kind)]))
    await chain.run()
    const digest: DigestReader = (kind) => steps.get(kind)?.value ?? Buffer.alloc(0)
    for (const check of payload.checks()) {
      const actual = digest(check.kind)
      if (!actual.equals(check.expected)) throw check.mismatch(actual)
    }
    return { size, digest }
  } catch (error) {
    await writer.abort()
    throw toS3Error(error, 'other', task.subject)
  } finally {
    hasher.free()
  }
}
