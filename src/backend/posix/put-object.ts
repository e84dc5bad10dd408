import { S3Error } from '../../s3/errors.ts'
import type { Call, NewObject, ObjectRef, WrittenObject } from '../backend.ts'
import type { Payload } from '../payload.ts'
import { checksumsAttribute, describingAttributes, etagAttribute, hashKindOf, type Attribute } from './attributes.ts'
import { COLLECTED_BYTES, collectedFill } from './collected.ts'
import { putDirectoryObject } from './directory-object.ts'
import { keyPath, type KeyPath } from './paths.ts'
import { checkPrecondition, withPrecondition } from './preconditions.ts'
import { publish, type Publication } from './publish.ts'
import { receive } from './receive.ts'
import { filledFrom, withTemporaryFile } from './temporary-file.ts'
import type { Target } from './tmp-dir.ts'
import type { Volume } from './volume.ts'

export async function putObject(
  volume: Volume,
  ref: ObjectRef,
  object: NewObject,
  payload: Payload,
  call: Call,
): Promise<WrittenObject> {
  const path = keyPath(ref.key)
  if (path.isDirectory) {
    if (payload.length > 0) throw new S3Error('DirectoryObjectContainsData')
    const description = describingAttributes(object, 'application/x-directory')
    await payload.collect()
    const directory = { ...object, description, checks: payload.checks() }
    const { etag, checksum } = await putDirectoryObject(volume, ref, directory, call)
    return { etag, size: 0, checksum, versionId: undefined }
  }
  const sums = payload.length <= COLLECTED_BYTES ? putCollected : putStreamed
  const { md5, checksum } = await sums(volume, ref, path, object, payload, call)
  return {
    etag: `"${md5.toString('hex')}"`,
    size: payload.length,
    checksum: { algorithm: object.checksum, type: 'FULL_OBJECT', value: checksum.toString('base64') },
    versionId: undefined,
  }
}

interface Sums {
  readonly md5: Buffer
  readonly checksum: Buffer
}

/** One job for the I/O pool, from opening the bucket to syncing the directory. */
async function putCollected(
  volume: Volume,
  ref: ObjectRef,
  path: KeyPath,
  object: NewObject,
  payload: Payload,
  call: Call,
): Promise<Sums> {
  const pieces = await payload.collect()
  const kind = hashKindOf(object.checksum)
  const collected = collectedFill(pieces, payload, [kind])
  const publication: Publication = {
    subject: ref,
    target: objectTarget(path, object.precondition.ifNoneMatch === undefined),
    size: payload.length,
    attributes: [
      ...describingAttributes(object),
      etagAttribute({ hasher: 'job', kind: 'md5', encoding: 'hex' }),
      checksumsAttribute(object.checksum, 'FULL_OBJECT', { hasher: 'job', kind, encoding: 'base64' }),
    ],
    fill: collected.fill,
    explain: collected.explain,
    facts: objectFacts(ref),
  }
  await withPrecondition(volume, ref, object.precondition, call, () => publish(volume, publication, call))
  return { md5: collected.digest('md5'), checksum: collected.digest(kind) }
}

/** A body that is hashed and written while it arrives; its name is given at the end, as with a small one. */
async function putStreamed(
  volume: Volume,
  ref: ObjectRef,
  path: KeyPath,
  object: NewObject,
  payload: Payload,
  call: Call,
): Promise<Sums> {
  await checkPrecondition(volume, ref, object.precondition, call)
  const kind = hashKindOf(object.checksum)
  const target = objectTarget(path, object.precondition.ifNoneMatch === undefined)
  const facts = objectFacts(ref)
  const size = payload.length
  return withTemporaryFile(volume, { subject: ref, target, facts, size, preallocate: true }, call, async (file) => {
    const into = { fd: file.fd, subject: ref, startWriteback: false }
    const digest = await receive(volume, into, payload, ['md5', kind], call)
    const md5 = digest('md5')
    const checksum = digest(kind)
    const attributes: Attribute[] = [
      ...describingAttributes(object),
      etagAttribute(md5.toString('hex')),
      checksumsAttribute(object.checksum, 'FULL_OBJECT', checksum.toString('base64')),
    ]
    await withPrecondition(volume, ref, object.precondition, call, () =>
      publish(volume, { subject: ref, target, attributes, facts, ...filledFrom(volume, file, size) }, call),
    )
    return { md5, checksum }
  })
}

export function objectTarget(path: KeyPath, replace: boolean): Target {
  return { directory: path.parent, name: path.name, makeParents: true, replace }
}

export function objectFacts(ref: ObjectRef): Record<string, string> {
  return { 'posix.bucket': ref.bucket, 'posix.object': ref.key }
}
