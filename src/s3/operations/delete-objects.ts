import { setImmediate } from 'node:timers/promises'
import { childText, childrenOf, type XmlElement } from '../../http/xml-reader.ts'
import { XML_DECLARATION, element, optional, wrap } from '../../http/xml.ts'
import type { DeletedObject, DeletePrecondition, ObjectRef } from '../../backend/backend.ts'
import { inParallel } from '../../in-parallel.ts'
import { signedOnly } from '../access-rules.ts'
import { S3Error } from '../errors.ts'
import { parseHttpDate } from '../http-date.ts'
import { normalizeKey } from '../names.ts'
import { document, label, operation, type OperationContext } from '../operation.ts'
import { parseVersionId } from '../version-id.ts'

const MAX_KEYS = 1000
/** A thousand of the longest keys and what is written around them. */
const MAX_BODY_BYTES = 2 * 1024 * 1024

export const DeleteObjects = operation(
  {
    name: 'DeleteObjects',
    http: { method: 'POST', target: 'bucket', query: 'delete' },
    input: {
      bucket: label('bucket'),
      request: document('Delete', parseDelete, {
        maxBytes: MAX_BODY_BYTES,
        required: true,
        checksumRequired: true,
        malformed: unreadable,
      }),
    },
  },
  {
    access: signedOnly({
      rights: [
        {
          action: 's3:DeleteObject',
          permission: 'WRITE',
          on: 'keys',
          versionAction: 's3:DeleteObjectVersion',
        },
      ],
    }),
    async handle({ bucket, request }, context) {
      const { backend, call, keys, settings } = context
      await backend.headBucket(bucket, call)
      const denied = await findDenied(request.entries, keys)
      const allowed = request.entries.filter((entry) => !denied.has(entry))
      if (settings.dialect === 'versitygw') await checkLocks(bucket, allowed, context)
      const wanted = { bucket, entries: request.entries, denied }
      const { deletions, failures } = await deleteAll(wanted, context)
      const isDenied = failures.every(({ error }) => error.code === 'AccessDenied')
      if (!keys.onBucket && isDenied && failures.length === request.entries.length)
        throw new S3Error('AccessDenied')
      return { status: 200, body: renderDeleteResult(request.quiet ? [] : deletions, failures) }
    },
  },
)

/** A single key that is locked fails them all, before any is deleted (contract 3.9); S3 tells of each by itself. */
async function checkLocks(
  bucket: string,
  entries: readonly DeleteEntry[],
  { backend, call }: OperationContext,
): Promise<void> {
  const refs = entries.map((entry) => refOf(bucket, entry)).filter((ref) => ref !== undefined)
  await backend.checkDeletable(bucket, refs, call)
}

/** Undefined where no object can have that name: then there is nothing to be asked about it. */
function refOf(bucket: string, { key, versionId }: DeleteEntry): ObjectRef | undefined {
  try {
    return { bucket, key: normalizeKey(key), versionId: parseVersionId(versionId) }
  } catch {
    return undefined
  }
}

export interface DeleteEntry {
  readonly key: string
  readonly versionId: string | undefined
  readonly precondition: DeletePrecondition
}

export interface DeleteRequest {
  readonly quiet: boolean
  readonly entries: readonly DeleteEntry[]
}

export function parseDelete(root: XmlElement | undefined): DeleteRequest {
  const objects = childrenOf(root, 'Object')
  if (objects.length > MAX_KEYS) throw new S3Error('MalformedXML')
  return {
    quiet: childText(root, 'Quiet')?.trim() === 'true',
    entries: objects.map((object) => parseEntry(object)),
  }
}

/** What cannot be read has a code of its own here, unlike in every other operation: clients of upstream know it. */
function unreadable(cause: S3Error): S3Error {
  return new S3Error('InvalidRequest', {}, { message: 'Invalid Request.', cause })
}

function parseEntry(object: XmlElement): DeleteEntry {
  const key = childText(object, 'Key')
  if (key === undefined) throw new S3Error('MalformedXML')
  const modified = childText(object, 'LastModifiedTime')
  const modifiedMs = modified === undefined ? undefined : parseHttpDate(modified)
  const size = childText(object, 'Size')
  return {
    key,
    versionId: childText(object, 'VersionId'),
    precondition: {
      ifMatch: childText(object, 'ETag'),
      ifLastModified: modifiedMs === undefined ? undefined : new Date(modifiedMs),
      ifSize: size === undefined ? undefined : Number(size),
    },
  }
}

export interface Deletion {
  readonly entry: DeleteEntry
  readonly deleted: DeletedObject
}

export interface DeleteFailure {
  readonly entry: DeleteEntry
  readonly error: S3Error
}

interface WantedDeletions {
  readonly bucket: string
  readonly entries: readonly DeleteEntry[]
  /** Those that the caller may not delete. */
  readonly denied: ReadonlySet<DeleteEntry>
}

const WIDTH = 16

/**
 * Deletes side by side, since in the durable mode each waits for the disk. Directory objects come last and the deepest
 * first, so that a listing sent back as it came empties the tree whatever its order.
 */
async function deleteAll(
  { bucket, entries, denied }: WantedDeletions,
  { backend, call, settings }: OperationContext,
): Promise<{ deletions: readonly Deletion[]; failures: readonly DeleteFailure[] }> {
  const done = new Map<DeleteEntry, Deletion>()
  const failed = new Map<DeleteEntry, DeleteFailure>()
  const remove = async (entry: DeleteEntry): Promise<void> => {
    try {
      const key = normalizeKey(entry.key)
      if (denied.has(entry)) throw new S3Error('AccessDenied')
      const ref = { bucket, key, versionId: parseVersionId(entry.versionId) }
      const wanted = { ...entry.precondition, marksAbsent: settings.dialect === 'aws' }
      const deleted = await backend.deleteObject(ref, wanted, call)
      done.set(entry, { entry, deleted })
    } catch (error) {
      if (!(error instanceof S3Error) || error.status >= 500) throw error
      failed.set(entry, { entry, error })
    }
  }
  await inParallel(
    entries.filter(({ key }) => !key.endsWith('/')),
    WIDTH,
    remove,
  )
  const directories = entries.filter(({ key }) => key.endsWith('/'))
  for (const entry of directories.toSorted((a, b) => b.key.length - a.key.length))
    await remove(entry)
  return {
    deletions: entries.map((entry) => done.get(entry)).filter((one) => one !== undefined),
    failures: entries.map((entry) => failed.get(entry)).filter((one) => one !== undefined),
  }
}

/** Other requests wait no longer than this, and one key more, for a policy to be asked about a thousand keys. */
const TURN_MS = 10

/** Entries whose key the caller may not delete. Those without a key that can be are not among them. */
async function findDenied(
  entries: readonly DeleteEntry[],
  keys: OperationContext['keys'],
): Promise<ReadonlySet<DeleteEntry>> {
  const denied = new Set<DeleteEntry>()
  let turnMs = performance.now()
  for (const entry of entries) {
    const key = pathOf(entry)
    if (key !== undefined && !keys.mayUse(key, entry.versionId)) denied.add(entry)
    if (performance.now() - turnMs < TURN_MS) continue
    await setImmediate()
    turnMs = performance.now()
  }
  return denied
}

function pathOf({ key }: DeleteEntry): string | undefined {
  try {
    return normalizeKey(key)
  } catch {
    return undefined
  }
}

/** The message of a failure is its code: so does upstream. */
export function renderDeleteResult(
  deletions: readonly Deletion[],
  failures: readonly DeleteFailure[],
): string {
  let content = ''
  for (const { entry, deleted } of deletions)
    content += wrap('Deleted', renderDeletion(entry, deleted))
  for (const { entry, error } of failures) {
    const version = optional('VersionId', entry.versionId)
    content += wrap(
      'Error',
      element('Code', error.code) +
        element('Key', entry.key) +
        element('Message', error.code) +
        version,
    )
  }
  return XML_DECLARATION + wrap('DeleteResult', content)
}

/** A delete marker that was made, or was deleted, has its id beside that of the request. */
function renderDeletion(
  { key, versionId }: DeleteEntry,
  { isDeleteMarker, versionId: markerId }: DeletedObject,
): string {
  const marker = isDeleteMarker
    ? element('DeleteMarker', 'true') + optional('DeleteMarkerVersionId', markerId)
    : ''
  return marker + element('Key', key) + optional('VersionId', versionId)
}
