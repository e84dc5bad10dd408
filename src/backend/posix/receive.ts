import { createFileWriter } from '../../io/file-writer.ts'
import type { HashKind } from '../../io/io.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Call } from '../backend.ts'
import type { Payload } from '../payload.ts'
import { toS3Error, type Subject } from './errors.ts'
import type { TemporaryFile } from './temporary-file.ts'
import type { Volume } from './volume.ts'

/**
 * Writes a body to a temporary file while it arrives, hashing it on the way, and holds its digests against what the client
 * declared. Gives back a reader of the digests asked for. Throws unless every byte came and every digest is right.
 */
export async function receive(
  volume: Volume,
  { fd, subject, startWriteback }: Pick<TemporaryFile, 'fd'> & { subject: Subject; startWriteback: boolean },
  payload: Payload,
  kinds: readonly HashKind[],
  call: Call,
): Promise<(kind: HashKind) => Buffer> {
  const wanted = [...new Set([...kinds, ...payload.kinds])]
  const hasher = volume.io.hasher(wanted)
  const writer = createFileWriter(volume.io, { span: call.span, file: fd, hasher, startWriteback })
  try {
    await payload.pump(writer)
    if ((await writer.finish()) !== payload.length) throw new S3Error('IncompleteBody')
    const chain = volume.io.chain(call.span, { record: false })
    const steps = new Map(wanted.map((kind) => [kind, chain.digest(hasher, kind)]))
    await chain.run()
    const digest = (kind: HashKind): Buffer => steps.get(kind)?.value ?? Buffer.alloc(0)
    for (const check of payload.checks()) {
      const actual = digest(check.kind)
      if (!actual.equals(check.expected)) throw check.mismatch(actual)
    }
    return digest
  } catch (error) {
    await writer.abort()
    throw toS3Error(error, 'other', subject)
  } finally {
    hasher.free()
  }
}
