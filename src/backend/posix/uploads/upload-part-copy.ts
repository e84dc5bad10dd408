import { S3Error } from '../../../s3/errors.ts'
import type { ByteRange, ByteSlice, Call, CopiedPart, CopySource, PartRef } from '../../backend.ts'
import { isComputable } from '../attributes.ts'
import { copyData, reusableSums } from '../copy-data.ts'
import { openObject } from '../get-object.ts'
import { publish } from '../publish.ts'
import { filledFrom, withTemporaryFile } from '../temporary-file.ts'
import type { Volume } from '../volume.ts'
import { uploadChecksum } from './upload-dir.ts'
import { partAttributes, partFacts, partSums, partTarget, writtenPart } from './upload-part.ts'

/** Makes a part of an object's bytes, or of a range of them. */
export async function uploadPartCopy(
  volume: Volume,
  source: CopySource,
  part: PartRef,
  range: ByteRange | undefined,
  call: Call,
): Promise<CopiedPart> {
  const upload = await uploadChecksum(volume, part, call)
  // The gateway computes what the upload declared: a client that copies has no bytes to compute it from.
  const sums = partSums(upload, upload !== undefined && isComputable(upload.algorithm) ? upload.algorithm : undefined)
  const opened = await openObject(volume, source, 'keep', call)
  try {
    source.check(opened.head)
    const slice = sliceOf(range, opened.head.size)
    const size = slice.length
    const target = partTarget(part)
    const facts = partFacts(part)
    return await withTemporaryFile(volume, { subject: part, target, facts, size, preallocate: false }, call, async (file) => {
      const known = slice.length === opened.head.size ? reusableSums(opened, sums.declared ?? 'CRC64NVME') : undefined
      const kinds = known === undefined ? (['md5', ...sums.kinds] as const) : []
      const copied = await copyData(volume, { from: opened.fd, range: slice, to: file.fd, kinds, subject: part }, call)
      const digest = known === undefined ? copied.digest : knownDigests(known)
      const attributes = partAttributes(sums, (kind, encoding) => digest(kind).toString(encoding))
      await publish(volume, { subject: part, target, attributes, facts, ...filledFrom(volume, file, size) }, call)
      const written = writtenPart(sums, digest)
      return { ...written, lastModifiedMs: copied.stat.mtimeMs, sourceVersionId: opened.head.versionId }
    })
  } finally {
    await opened.close()
  }
}

function knownDigests({ md5, checksum }: { md5: string; checksum: string }): (kind: string) => Buffer {
  return (kind) => (kind === 'md5' ? Buffer.from(md5, 'hex') : Buffer.from(checksum, 'base64'))
}

/** A range must lie within the source: nothing is clamped, and nothing is made up beyond the end. */
function sliceOf(range: ByteRange | undefined, size: number): ByteSlice {
  if (range === undefined) return { offset: 0, length: size }
  if (range.start <= range.end && range.end < size) return { offset: range.start, length: range.end - range.start + 1 }
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: String(size) },
    { message: `Range specified is not valid for source object of size: ${size}` },
  )
}
