import { S3Error } from '../../s3/errors.ts'
import type { NewObject, ObjectRef, WrittenObject } from '../backend.ts'
import type { AnyPayload } from '../payload.ts'
import {
  checksumInChain,
  checksumsAttribute,
  describingAttributes,
  etagAttribute,
  hashKindOf,
  type Attribute,
} from './attributes.ts'
import { COLLECTED_BYTES, collectedFill } from './collected.ts'
import { putDirectoryObject } from './directory-object.ts'
import { etagForm, etagText } from './etag-form.ts'
import { objectFacts, objectTarget } from './object-target.ts'
import { keyPath } from './paths.ts'
import { checkPrecondition, withPrecondition } from './preconditions.ts'
import { publish } from './publish.ts'
import { receive, type Received } from './receive.ts'
import type { Task } from './task.ts'
import type { Target } from './tmp-dir.ts'
import { filledFrom, withTemporaryFile } from './temporary-file.ts'

export async function putObject(
  task: Task<ObjectRef>,
  object: NewObject,
  payload: AnyPayload,
): Promise<WrittenObject> {
  const path = keyPath(task.subject.key)
  if (path.isDirectory) return putDirectory(task, object, payload)
  const target = objectTarget(task, object, path)
  const { length } = payload
  const { digest, size, versionId } =
    length !== undefined && length <= COLLECTED_BYTES
      ? await putCollected(task, object, payload, { target, size: length })
      : await putStreamed(task, object, payload, target)
  const value = digest(hashKindOf(object.checksum)).toString('base64')
  return {
    etag: `"${etagText(etagForm(task.volume, object.checksum), digest)}"`,
    size,
    checksum: { algorithm: object.checksum, type: 'FULL_OBJECT', value },
    versionId,
  }
}

interface Stored extends Received {
  readonly versionId: string | undefined
}

/** One job for the I/O pool, from opening the bucket to syncing the directory. */
async function putCollected(
  task: Task<ObjectRef>,
  object: NewObject,
  payload: AnyPayload,
  { target, size }: { readonly target: Target; readonly size: number },
): Promise<Stored> {
  const pieces = await payload.collect()
  const kind = hashKindOf(object.checksum)
  const form = etagForm(task.volume, object.checksum)
  const { fill, explain, digest } = collectedFill(pieces, payload, [form.kind, kind])
  const attributes = describingAttributes(object)
  attributes.push(form.inChain, checksumInChain(object.checksum))
  const facts = objectFacts(task)
  const versionId = await withPrecondition(task, object.precondition, (terms) =>
    publish(task, { target, terms, size, attributes, fill, explain, facts }),
  )
  return { digest, size, versionId }
}

/** A body that is hashed and written while it arrives; its name is given at the end, as with a small one. */
async function putStreamed(
  task: Task<ObjectRef>,
  object: NewObject,
  payload: AnyPayload,
  target: Target,
): Promise<Stored> {
  await checkPrecondition(task, object.precondition)
  const kind = hashKindOf(object.checksum)
  const form = etagForm(task.volume, object.checksum)
  const facts = objectFacts(task)
  const { length } = payload
  const wanted = { target, facts, size: length ?? 0, preallocate: length !== undefined }
  return withTemporaryFile(task, wanted, async (file) => {
    const { digest, size } = await receive(task, payload, {
      fd: file.fd,
      startWriteback: false,
      kinds: [form.kind, kind],
    })
    const attributes: Attribute[] = [
      ...describingAttributes(object),
      etagAttribute(etagText(form, digest)),
      checksumsAttribute(object.checksum, 'FULL_OBJECT', digest(kind).toString('base64')),
    ]
    const versionId = await withPrecondition(task, object.precondition, (terms) =>
      publish(task, { target, terms, attributes, facts, ...filledFrom(task, file, size) }),
    )
    return { digest, size, versionId }
  })
}

async function putDirectory(
  task: Task<ObjectRef>,
  object: NewObject,
  payload: AnyPayload,
): Promise<WrittenObject> {
  if (payload.length !== 0) throw new S3Error('DirectoryObjectContainsData')
  await payload.collect()
  const description = describingAttributes(object, 'application/x-directory')
  const { etag, checksum } = await putDirectoryObject(task, {
    ...object,
    description,
    checks: payload.checks(),
  })
  return { etag, size: 0, checksum, versionId: undefined }
}
