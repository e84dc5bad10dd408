import type { CopyMethod, Io } from '../../io/io.ts'
import type { Span } from '../../trace/recorder.ts'
import type { RemoteParent } from '../../trace/recorder.ts'
import type { DirectoryCache } from './directory-cache.ts'
import type { Folds } from './folds.ts'
import type { KeptTmpDirs } from './kept-tmp-dirs.ts'
import type { OwnerOf } from './ownership.ts'
import type { PlainBuckets } from './plain-buckets.ts'
import type { Sweeper } from './sweeper.ts'

/** The directory tree that is served, and how. */
export interface Volume {
  readonly io: Io
  /** Spans below it are not recorded. */
  readonly silent: Span
  /** Descriptor of the directory that holds the buckets. */
  readonly root: number
  /** Where superseded versions go, a directory for each bucket; undefined where there are none. */
  readonly versions: Volume | undefined
  /** Whether an answer waits until what it tells is on disk. */
  readonly durable: boolean
  /** Mode of directories that keys need, under the umask. */
  readonly dirMode: number
  /** Who new files and directories belong to; undefined where that is always the process. */
  readonly ownerOf: OwnerOf | undefined
  /** Whether symbolic links to directories are listed with the buckets. */
  readonly bucketLinks: boolean
  /** Whether O_TMPFILE is wanted at all. */
  readonly useTmpFile: boolean
  /** Buckets on file systems that refused O_TMPFILE: their temporary files have names. */
  readonly refusedTmpFile: Set<string>
  /** How files may be copied, in the order to try. */
  readonly copyMethods: readonly CopyMethod[]
  /** ETag of files that were put there without S3. */
  readonly defaultEtag: string
  /** Whether ETags are made of checksums, and not of MD5. */
  readonly integrityEtags: boolean
  /** A bucket's default retention is stored with what is written, as S3 does. */
  readonly storesDefaultRetention: boolean
  readonly directories: DirectoryCache
  readonly folds: Folds
  readonly plainBuckets: PlainBuckets
  readonly sweeper: Sweeper
  readonly tmpDirs: KeptTmpDirs
  /** The last request of this process in line for a lock, by the lock's name. */
  readonly lockLines: Map<string, LockTurn>
  /** Sizes of the slots of uploads in progress, by their ids; undefined where parts have files of their own. */
  readonly slotSizes: Map<string, number> | undefined
  /** What uploads in progress say of themselves, by upload. It never changes while an upload lives. */
  readonly uploads: Map<string, KnownUpload>
}

export interface KnownUpload {
  readonly checksum: UploadChecksum | undefined
  /** The request that created it, where that was traced. */
  readonly creator: RemoteParent | undefined
}

/** A request that holds a lock, or waits for it. */
export interface LockTurn {
  /** Settles when the lock is the next one's. */
  readonly done: Promise<unknown>
  readonly traceId: string
}

/** The checksum an upload declared when it was created. */
export interface UploadChecksum {
  readonly algorithm: string
  readonly type: string
}
