import { S3Error } from '../../../s3/errors.ts'
import type { ByteRange, ByteSlice, CopiedPart, CopySource, PartRef } from '../../backend.ts'
import { isComputable } from '../attributes.ts'
import { copyData, reusableSums } from '../copy-data.ts'
import type { OpenObject } from '../opened.ts'
import { publish } from '../publish.ts'
import type { Task } from '../task.ts'
import { filledFrom, withTemporaryFile } from '../temporary-file.ts'
import { openSource } from '../versions/open-source.ts'
import { uploadChecksum } from './upload-dir.ts'
import { partAttributes, partFacts, partSums, writtenPart, type PartSums } from './part-sums.ts'
import { partTarget } from './upload-part.ts'

/** Makes a part of an object's bytes, or of a range of them. */
export async function uploadPartCopy(
  task: Task<PartRef>,
  source: CopySource,
  range: ByteRange | undefined,
): Promise<CopiedPart> {
  const upload = await uploadChecksum(task)
  // The gateway computes what the upload declared: a client that copies has no bytes to compute it from.
  const declared =
    upload !== undefined && isComputable(upload.algorithm) ? upload.algorithm : undefined
  const sums = partSums(task.volume, upload, declared)
  const opened = await openSource(task.about(source))
  try {
    source.check(opened.head)
    return await storeCopy(task, opened, sliceOf(range, opened.head.size), sums)
  } finally {
    await task.close(opened.fd)
  }
}

async function storeCopy(
  task: Task<PartRef>,
  source: OpenObject,
  range: ByteSlice,
  sums: PartSums,
): Promise<CopiedPart> {
  const size = range.length
  const target = partTarget(task)
  const facts = partFacts(task)
  return withTemporaryFile(task, { target, facts, size, preallocate: false }, async (file) => {
    const isWhole = size === source.head.size
    const known = isWhole
      ? reusableSums(source, sums.declared ?? 'CRC64NVME', sums.etag)
      : undefined
    const kinds = known === undefined ? sums.kinds : []
    const copied = await copyData(task, { from: source.fd, range, to: file.fd, kinds })
    const digest = known ?? copied.digest
    const attributes = partAttributes(sums, (kind, encoding) => digest(kind).toString(encoding))
    await publish(task, { target, attributes, facts, ...filledFrom(task, file, size) })
    const written = writtenPart(sums, digest)
    return {
      ...written,
      lastModifiedMs: copied.stat.mtimeMs,
      sourceVersionId: source.head.versionId,
    }
  })
}

/** A range must lie within the source: nothing is clamped, and nothing is made up beyond the end. */
function sliceOf(range: ByteRange | undefined, size: number): ByteSlice {
  if (range === undefined) return { offset: 0, length: size }
  const { start, end } = range
  if (start <= end && end < size) return { offset: start, length: end - start + 1 }
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: String(size) },
    { message: `Range specified is not valid for source object of size: ${size}` },
  )
}
