import { constants } from 'node:os'
import { isBeneath } from '../../io/beneath.ts'
import type { CopyMethod, Io } from '../../io/io.ts'
import { IoError } from '../../io/io-error.ts'
import { Recorder } from '../../trace/recorder.ts'
import type { Backend, Call } from '../backend.ts'
import { ATTRIBUTE } from './attributes.ts'
import { createBucket, deleteBucket, headBucket, listBuckets } from './buckets.ts'
import { copyObject } from './copy-object.ts'
import { checkDeletable } from './check-deletable.ts'
import { deleteObject } from './delete-object.ts'
import { DirectoryCache } from './directory-cache.ts'
import type { Subject } from './errors.ts'
import { Folds } from './folds.ts'
import { KeptTmpDirs } from './kept-tmp-dirs.ts'
import { getObject, headObject } from './get-object.ts'
import { listObjects } from './listing.ts'
import { PlainBuckets } from './plain-buckets.ts'
import { createOwnership } from './ownership.ts'
import { putObject } from './put-object.ts'
import {
  SWEEP_TIMES,
  Sweeper,
  sweepTemporaries,
  sweepUnfinishedBuckets,
  type SweepTimes,
} from './sweeper.ts'
import {
  deleteBucketSubresource,
  deleteObjectSubresource,
  getBucketSubresource,
  getBucketSubresources,
  getObjectSubresource,
  putBucketSubresource,
  putObjectSubresource,
} from './subresources.ts'
import { Task } from './task.ts'
import { abortUpload } from './uploads/abort-upload.ts'
import { completeUpload } from './uploads/complete-upload.ts'
import { createUpload } from './uploads/create-upload.ts'
import { listParts } from './uploads/list-parts.ts'
import { listUploads } from './uploads/list-uploads.ts'
import { uploadPart } from './uploads/upload-part.ts'
import { uploadPartCopy } from './uploads/upload-part-copy.ts'
import { listVersions } from './versions/list-versions.ts'
import type { Volume } from './volume.ts'

export interface PosixBackendOptions {
  readonly io: Io
  /** Holds a directory for each bucket. */
  readonly directory: string
  /** Holds what is superseded where a bucket has versioning; without it no bucket can. */
  readonly versioningDirectory?: string | undefined
  /** `full`: an answer tells of what is on disk; `none`: the kernel decides when it gets there. */
  readonly durability: 'full' | 'none'
  /** Mode of the directories that are made, under the umask. */
  readonly dirMode: number
  /** Without it temporary files have names, and are renamed. */
  readonly useTmpFile: boolean
  /** Without it bytes are copied by reading and writing: some NFS servers hang on copying by themselves. */
  readonly useCopyFileRange: boolean
  /** What the account that makes a file or directory gives to it. */
  readonly chownUid?: boolean
  readonly chownGid?: boolean
  /** ListBuckets tells of symbolic links to directories too. */
  readonly bucketLinks?: boolean
  /** Told of files that were put there without S3. */
  readonly defaultEtag?: string | undefined
  /** ETags of what is written are made of its checksum, and MD5 is not computed. */
  readonly integrityEtags?: boolean
  /** `slots`: parts are written to where they belong in the object; else each has a file, as with VersityGW. */
  readonly multipartLayout?: 'parts' | 'slots'
  /** An object that is written without a retention is given its bucket's; else the bucket's counts from when that was set. */
  readonly storesDefaultRetention?: boolean
  /** When temporary files that a dead process left are removed. */
  readonly sweepTimes?: SweepTimes
}

const LISTING_CACHE_BYTES = 64 * 1024 * 1024

const IN_KERNEL: readonly CopyMethod[] = ['reflink', 'copy_file_range', 'read_write']

/** Buckets as directories, objects as files, what S3 knows of them as extended attributes: VersityGW's layout. */
export async function createPosixBackend(options: PosixBackendOptions): Promise<Backend> {
  const volume = await openVolumes(options)
  const task = <S extends Subject>(subject: S, call: Call): Task<S> => {
    const task = new Task(volume, call.span, subject, volume.ownerOf?.(call.account))
    task.mayBypass = call.mayBypass
    return task
  }
  const root = new Task(volume, volume.silent, { bucket: '' })
  return {
    type: 'posix',
    listBuckets: (call, documents) => listBuckets(task({ bucket: '' }, call), documents),
    createBucket: (bucket, call) => createBucket(task({ bucket: bucket.name }, call), bucket),
    headBucket: (bucket, call) => headBucket(task({ bucket }, call)),
    deleteBucket: (bucket, call) => deleteBucket(task({ bucket }, call)),
    getBucketSubresource: (bucket, name, call) =>
      getBucketSubresource(task({ bucket }, call), name),
    getBucketSubresources: (bucket, names, call) =>
      getBucketSubresources(task({ bucket }, call), names),
    putBucketSubresource: (bucket, name, value, call) =>
      putBucketSubresource(task({ bucket }, call), name, value),
    deleteBucketSubresource: (bucket, name, call) =>
      deleteBucketSubresource(task({ bucket }, call), name),

    getObject: (ref, select, call) => getObject(task(ref, call), select),
    headObject: (ref, call) => headObject(task(ref, call)),
    putObject: (ref, object, payload, call) => putObject(task(ref, call), object, payload),
    checkDeletable: (bucket, refs, call) => checkDeletable(task({ bucket }, call), refs),
    deleteObject: (ref, precondition, call) => deleteObject(task(ref, call), precondition),
    copyObject: (source, target, object, call) => copyObject(task(target, call), source, object),
    getObjectSubresource: (ref, name, call) => getObjectSubresource(task(ref, call), name),
    putObjectSubresource: (ref, name, value, call) =>
      putObjectSubresource(task(ref, call), name, value),
    deleteObjectSubresource: (ref, name, call) => deleteObjectSubresource(task(ref, call), name),
    listObjects: (bucket, page, call) => listObjects(task({ bucket }, call), page),
    listVersions: (bucket, page, call) => listVersions(task({ bucket }, call), page),

    createUpload: (ref, upload, call) => createUpload(task(ref, call), upload),
    uploadPart: (part, payload, checksum, call) => uploadPart(task(part, call), payload, checksum),
    uploadPartCopy: (source, part, range, call) => uploadPartCopy(task(part, call), source, range),
    completeUpload: (upload, completion, call) => completeUpload(task(upload, call), completion),
    abortUpload: (upload, ifInitiatedAt, call) => abortUpload(task(upload, call), ifInitiatedAt),
    listParts: (upload, page, call) => listParts(task(upload, call), page),
    listUploads: (bucket, page, call) => listUploads(task({ bucket }, call), page),

    async close() {
      for (const { sweeper, tmpDirs, root: directory } of volumesOf(volume)) {
        await sweeper.close()
        tmpDirs.close()
        await root.close(directory)
      }
    },
  }
}

/** What is served and, laid out alike, a directory for each bucket, what is superseded. */
async function openVolumes(options: PosixBackendOptions): Promise<Volume> {
  const { directory, versioningDirectory } = options
  const versions =
    versioningDirectory === undefined
      ? undefined
      : openVolume(options, versioningDirectory, undefined)
  const volume = openVolume(options, directory, versions)
  try {
    await checkAttributes(volume, directory)
    if (versions !== undefined && versioningDirectory !== undefined) {
      await checkAttributes(versions, versioningDirectory)
      await checkApart(volume, versions, options)
    }
    return volume
  } catch (error) {
    const task = new Task(volume, volume.silent, { bucket: '' })
    for (const { root } of volumesOf(volume)) await task.close(root)
    throw error
  }
}

function volumesOf(volume: Volume): readonly Volume[] {
  return volume.versions === undefined ? [volume] : [volume, volume.versions]
}

/** Versions in the directory that is served would be buckets or objects, and whoever may use those could change them. */
async function checkApart(
  { io, silent, root }: Volume,
  versions: Volume,
  options: PosixBackendOptions,
): Promise<void> {
  const { directory, versioningDirectory = '' } = options
  const chain = io.chain(silent)
  const served = chain.stat(root)
  const kept = chain.stat(versions.root)
  await chain.run()
  const isSame = served.value.ino === kept.value.ino && served.value.dev === kept.value.dev
  if (!isSame && !(await isBeneath(versioningDirectory, directory))) return
  throw new Error(
    `cannot keep versions in ${versioningDirectory}: it lies in the directory that is served`,
  )
}

function openVolume(
  options: PosixBackendOptions,
  directory: string,
  versions: Volume | undefined,
): Volume {
  const { io } = options
  const silent = new Recorder(false, undefined).root
  const sweeper = new Sweeper((bucket, directory, ageMs) => {
    const task = new Task(volume, silent, { bucket })
    return bucket === ''
      ? sweepUnfinishedBuckets(task, ageMs)
      : sweepTemporaries(task, directory, ageMs)
  }, options.sweepTimes ?? SWEEP_TIMES)
  const volume: Volume = {
    io,
    silent,
    root: openRoot(io, directory, directory === options.directory ? '' : directory.slice(1)),
    versions,
    durable: options.durability === 'full',
    dirMode: options.dirMode,
    ownerOf: createOwnership({
      chownUid: options.chownUid === true,
      chownGid: options.chownGid === true,
    }),
    bucketLinks: options.bucketLinks === true,
    useTmpFile: options.useTmpFile,
    refusedTmpFile: new Set(),
    copyMethods: options.useCopyFileRange ? IN_KERNEL : ['read_write'],
    defaultEtag: options.defaultEtag ?? '',
    integrityEtags: options.integrityEtags === true,
    storesDefaultRetention: options.storesDefaultRetention === true,
    directories: new DirectoryCache(LISTING_CACHE_BYTES),
    folds: new Folds(),
    plainBuckets: new PlainBuckets(),
    sweeper,
    tmpDirs: new KeptTmpDirs((fd) => void new Task(volume, silent, { bucket: '' }).close(fd)),
    lockLines: new Map(),
    uploads: new Map(),
    slotSizes: options.multipartLayout === 'slots' ? new Map() : undefined,
  }
  return volume
}

/** VersityGW keeps the attributes of versions in a sidecar directory under their absolute path. */
function openRoot(io: Io, directory: string, place: string): number {
  try {
    return io.openRoot(directory, place)
  } catch (cause) {
    const reason =
      cause instanceof IoError ? (OPEN_FAILURES[cause.code] ?? cause.message) : String(cause)
    throw new Error(`cannot serve ${directory}: ${reason}`, { cause })
  }
}

const OPEN_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such directory',
  ENOTDIR: 'it is not a directory',
  EACCES: 'permission denied',
}

/** Without extended attributes ACLs and locks that a directory has would not be seen, and none could be stored. */
async function checkAttributes(volume: Volume, directory: string): Promise<void> {
  const chain = volume.io.chain(volume.silent)
  chain.readMetadata(volume.root, [ATTRIBUTE.acl])
  try {
    await chain.run()
  } catch (cause) {
    if (!(cause instanceof IoError) || cause.errno !== constants.errno.EOPNOTSUPP) throw cause
    throw new Error(`cannot serve ${directory}: its file system has no extended attributes`, {
      cause,
    })
  }
}
