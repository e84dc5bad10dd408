import type { Span } from '../trace/recorder.ts'
import type { IoStats } from './io-stats.ts'

/**
 * The file system, as chains of system calls.
 *
 * A chain is built step by step and handed to the addon as one job: a thread of its I/O pool runs the steps in order
 * until the first that fails, and one completion brings back results, times and errnos. Each builder method belongs to
 * one `Posix.IO.*` span; neighbouring steps of the same method on the same file share a span, and so do a file and the
 * directories that were opened on the way to it.
 *
 * Directories and files are named by a directory descriptor and a path beneath it, resolved by openat2(2) with
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS (component by component where the kernel refuses it).
 */
export interface Io {
  /**
   * Starts a chain whose spans lie under `span`. `bulk` work never takes the last threads of the pool. With `record`
   * false no spans are made: the caller draws its own from `times`.
   */
  chain(span: Span, options?: { bulk?: boolean; record?: boolean }): Chain
  /**
   * Says that a request has begun, whose chains will come: where all threads sleep one is woken meanwhile. The same
   * `connection` again and again, and no other, is one client that waits for each answer.
   */
  announce(connection: object): void
  /** A hash state that lives across chains (streamed bodies). Free it; at most a few thousand exist at a time. */
  hasher(kinds: readonly HashKind[]): Hasher
  /**
   * Sends file bytes to a connected plain-TCP socket by sendfile(2), never holding a pool thread while the socket is
   * full. Duplicates the socket at once; owns `file` from the call on and closes it in every case. Resolves when the
   * last byte is in the socket buffer. Rejects with IoError: EPIPE/ECONNRESET (client gone), ECANCELED (`signal`),
   * ETIMEDOUT (no byte moved for `stallMs`), EIO (file shrank or could not be read).
   */
  sendFile(span: Span, request: SendFile): Promise<SendFileResult>
  /** Combines CRCs of A and B (base64 as S3 shows them) into that of A||B, where B has `lengthB` bytes. */
  combineCrc(kind: 'crc32' | 'crc32c' | 'crc64nvme', a: string, b: string, lengthB: number): string
  /**
   * Opens the directory that is served; the caller's to keep. The path is followed as the shell would. Throws IoError.
   * `place` is where in a sidecar directory the attributes of what lies in it are kept; without one, with the files.
   */
  openRoot(path: string, place?: string): number
  /**
   * Frees the memory of those buffers that are all of their ArrayBuffer, which nobody may use any more: they are empty
   * afterwards. What a body came in would else be freed by a collection, of which bodies make one every hundred megabytes.
   */
  discard(buffers: readonly Uint8Array[]): void
  /** Whether bodies should go past the page cache: then chains are told so (`direct`), and no file is sent by sendfile. */
  readonly direct: boolean
  stats(): IoStats
  /** Ends the pool; running steps finish, later ones fail with ECANCELED. */
  close(): Promise<void>
}

export type HashKind =
  | 'md5'
  | 'sha1'
  | 'sha256'
  | 'sha512'
  | 'crc32'
  | 'crc32c'
  | 'crc64nvme'
  | 'xxh64'
  | 'xxh3'
  | 'xxh128'

export interface Hasher {
  readonly id: number
  readonly kinds: readonly HashKind[]
  free(): void
}

/** A place where the addon writes a digest once it is computed, inside an attribute value of the same chain. */
export interface DigestHole {
  readonly hasher: Hasher | 'job'
  readonly kind: HashKind
  readonly encoding: 'hex' | 'base64'
}

/** An extended attribute, named without `user.`. A value may have holes for digests (fixed length each). */
export type AttributeValue = string | Uint8Array | readonly (string | DigestHole)[] | EncodedValue

/** A value with holes for digests of the chain's own hash state, as the addon reads it: for what every chain writes alike (`encodeValue`). */
export interface EncodedValue {
  readonly encoded: Uint8Array
  readonly holes: readonly DigestHole[]
}

/** One step. Filled in when the chain has run. */
export interface Step<T> {
  readonly value: T
  /** 0, or the errno that was tolerated. */
  readonly errno: number
  /** False when the step was never reached, or skipped because the step whose descriptor it uses failed. */
  readonly ran: boolean
}

/** A descriptor: of an earlier step of this chain, or a number the caller owns. */
export type Fd = Step<number> | number

export interface FileStat {
  readonly mode: number
  readonly size: number
  readonly mtimeMs: number
  /** Whole seconds and nanoseconds, for exact comparison. */
  readonly mtimeSec: number
  readonly mtimeNsec: number
  readonly ctimeSec: number
  readonly ctimeNsec: number
  readonly ino: number
  readonly dev: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
}

export interface DirEntries {
  readonly count: number
  /**
   * All names in S3 order: bytewise as UTF-8, a directory compared as `name/`. Packed: `offsets[i]..offsets[i+1]`
   * in `names` is entry i's raw bytes (without the slash); `types[i]` is the d_type (DT_DIR 4, DT_REG 8, DT_LNK 10; never 0:
   * DT_UNKNOWN is resolved with fstatat). `.`/`..` are left out; `.sgwtmp` is not.
   */
  readonly names: Buffer
  readonly offsets: Uint32Array
  readonly types: Uint8Array
}

/** When a file was last written to. */
export type ModifiedTime = Pick<FileStat, 'mtimeSec' | 'mtimeNsec'>

/** Two files that exist at one time differ in it. */
export type FileIdentity = Pick<FileStat, 'ino' | 'dev'>

export interface BatchEntry {
  /** 0 or errno (ENOENT: the name vanished). */
  readonly errno: number
  readonly stat: FileStat
  /** Only those asked for and present. */
  readonly attributes: ReadonlyMap<string, Buffer>
}

export type Options = {
  /** Errnos after which the chain goes on with the next step; steps that use this one's descriptor are skipped. */
  tolerate?: readonly number[]
  /** Errnos that end the chain, as any other would, but are no failure in the trace: the caller knows what to do next. */
  expected?: readonly number[]
  /** Attributes of the step's span, added to those the step sets itself. */
  attributes?: Record<string, string | number | boolean> | undefined
}

export type OpenTmpFileOptions = Options & {
  /** With it O_CREAT | O_EXCL (tmp_method named), else O_TMPFILE (o_tmpfile), in `path` beneath the directory if given. */
  name?: string | undefined
  path?: string | undefined
  size: number
  keep?: boolean
  preallocate?: boolean
}

export type OpenFileOptions = Options & {
  keep?: boolean
  write?: boolean
  create?: number
  followLast?: boolean
}

export interface ReadRange {
  readonly offset: number
  readonly length: number
  /** Past the page cache, where the file system can. */
  readonly direct?: boolean
}

export type WriteOptions = Options & {
  offset?: number
  /** Past the page cache, where the file system can. */
  direct?: boolean
  hasher?: Hasher | 'job'
  kinds?: readonly HashKind[]
}

export type LinkOptions = Options & {
  tmpDir: Fd
  replace: boolean
  from?: string | undefined
  onlyOver?: FileIdentity | undefined
}

export type RemoveOptions = Options & { directory?: boolean; only?: RemoveOnly | undefined }

export interface RemoveOnly {
  readonly file: FileIdentity
  /** Where the name is moved before it is removed, on the same file system; `aside` is what it is called there. */
  readonly tmpDir: Fd
  readonly aside: string
}

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** ns of the trace clock. Where a step both hashes and writes, `ioNs` and `hashNs` are its parts. */
export interface StepTimes {
  readonly startNs: number
  readonly endNs: number
  readonly queueNs: number
  readonly ioNs: number
  readonly hashNs: number
  /** Of this step, for `Span.syscalls` of a span that the caller draws. */
  readonly syscalls: Float64Array | undefined
}

/**
 * A chain under construction; run it once.
 *
 * Descriptors opened by a chain are closed when it ends, unless `keep` was asked for and the chain succeeded.
 */
export interface Chain {
  /** Posix.IO.OpenFile. Opens a directory (O_PATH unless `readable`, which sync and listDir need). */
  openDir(
    dir: Fd,
    path: string,
    options?: Options & { readable?: boolean; keep?: boolean; followLast?: boolean },
  ): Step<number>
  /** Posix.IO.OpenFile. O_RDONLY | O_NONBLOCK | O_CLOEXEC unless `write`. `create` is O_CREAT | O_EXCL with this mode. `followLast` follows a link in the last component, wherever it leads. */
  openFile(dir: Fd, path: string, options?: OpenFileOptions): Step<number>
  /** fstat(2), within the span of the step before it. */
  stat(fd: Fd, options?: Options): Step<FileStat>
  /** fstatat(2) AT_SYMLINK_NOFOLLOW beneath `dir` (O_PATH open beneath, then fstat). Posix.IO.OpenFile. */
  statAt(dir: Fd, path: string, options?: Options): Step<FileStat>
  /** Posix.IO.ReadMetadata. flistxattr + fgetxattr of those wanted (all `user.*` when `names` is undefined). */
  readMetadata(
    fd: Fd,
    names?: readonly string[],
    options?: Options,
  ): Step<ReadonlyMap<string, Buffer>>
  /** Posix.IO.WriteMetadata. fsetxattr one by one; `removed` are removed first, absence is no error. */
  writeMetadata(
    fd: Fd,
    attributes: Iterable<readonly [name: string, value: AttributeValue]>,
    options?: Options & { removed?: readonly string[] },
  ): Step<void>
  /**
   * Posix.IO.ReadData. Reads at most `length` bytes from `offset`. With `wholeIfAtMost`, reads the whole file if it is a
   * regular file of at most that many bytes; otherwise reads nothing, keeps the descriptor open for the caller
   * (`file.value`) and yields undefined.
   */
  readData(file: Fd, range: ReadRange, options?: Options): Step<Buffer>
  readWhole(
    file: Step<number>,
    options: Options & { wholeIfAtMost: number },
  ): Step<Buffer | undefined>
  /** Posix.IO.OpenTmpFile. Mode 0644 under the umask. */
  openTmpFile(dir: Fd, options: OpenTmpFileOptions): Step<number>
  /** Posix.IO.WriteData. Hashes (if asked) and writes the pieces at `offset`, gathered; pieces must stay unchanged until the chain has run. */
  writeData(file: Fd, pieces: readonly Uint8Array[], options?: WriteOptions): Step<number>
  /** Hashes without writing, within the span of the step before it. */
  hash(
    pieces: readonly Uint8Array[],
    hasher: Hasher | 'job',
    kinds?: readonly HashKind[],
  ): Step<void>
  /** Reads a digest. */
  digest(hasher: Hasher | 'job', kind: HashKind): Step<Buffer>
  /** Fails the chain with EBADMSG unless the digest equals `expected`; `value` is what was computed, also on failure. */
  verifyDigest(hasher: Hasher | 'job', kind: HashKind, expected: Uint8Array): Step<Buffer>
  /** Fails the chain with EBADMSG unless the file's size (fstat) is `size`: nothing short is ever published. */
  verifySize(file: Fd, size: number): Step<void>
  /**
   * Fails the chain with ENOENT unless the file is regular (if asked), has the attributes that it must have and none
   * that it must not: what follows happens only to the file that was meant. Within the span of the step before it.
   */
  verifyFile(
    file: Fd,
    expected: { regular: boolean; has: readonly string[]; lacks: readonly string[] },
  ): Step<void>
  /** Posix.IO.MakeParents. Opens directory `path` beneath `dir`, making what lacks (mode `mode` under the umask); `''` is `dir` itself. value: fd (readable, so that it can be synced); new directories get `owner`; with `sync` each directory that got a new entry is fsynced (own Posix.IO.Sync span). */
  makeParents(
    dir: Fd,
    path: string,
    options: Options & { mode: number; sync: boolean; owner?: Owner },
  ): Step<number>
  /**
   * Posix.IO.LinkFile. Gives a finished temporary file its name beneath `dir` (one component). If it exists and `replace`, links to a
   * private name in `tmpDir` and renames. Without `replace` EEXIST fails the step (on NFS inode and link count are compared first).
   * `from` names the temporary file where it has a name (then renameat, or linkat + unlink without `replace`).
   *
   * With `onlyOver` (and `replace`) only this file is replaced: EALREADY where another one, or none, is there by now. Keep it
   * open meanwhile, so that no other file can get its inode number.
   */
  linkFile(file: Fd, dir: Fd, name: string, options: LinkOptions): Step<'linkat' | 'rename'>
  /** mkdirat(2), one component. Posix.IO.MakeParents. */
  makeDir(dir: Fd, name: string, options: Options & { mode: number }): Step<void>
  /** renameat2(2). Posix.IO.LinkFile. */
  rename(
    fromDir: Fd,
    from: string,
    toDir: Fd,
    to: string,
    options?: Options & { noReplace?: boolean },
  ): Step<void>
  /**
   * Posix.IO.RemoveFile. unlinkat(2) of one component; `directory` is AT_REMOVEDIR.
   *
   * With `only` just this file's name is removed: EALREADY where another one has it by now. Keep it open meanwhile, so that no
   * other file can get its inode number. ESTALE where what had been moved to `aside` in `tmpDir` was another file and could
   * not be put back, because its directory was removed meanwhile: it is there still.
   */
  remove(dir: Fd, name: string, options?: RemoveOptions): Step<void>
  /** Posix.IO.RemoveFile. Removes a directory with everything beneath it, following nothing. value: entries removed. */
  removeTree(dir: Fd, name: string, options?: Options): Step<number>
  /** Posix.IO.PruneParents. rmdir of `path`, then its parents, up to but not including `dir`, until one is not empty or has attribute `stopAt`. value: directories removed. `sync` fsyncs the directory where it stopped. */
  pruneParents(
    dir: Fd,
    path: string,
    options: Options & { stopAt: string; sync: boolean },
  ): Step<number>
  /** Posix.IO.Sync. fsync(2) (posix.sync_target file|dir). */
  sync(fd: Fd, target: 'file' | 'dir', options?: Options): Step<void>
  /** Posix.IO.ListDir. Needs a readable directory descriptor. */
  listDir(dir: Fd, options?: Options): Step<DirEntries>
  /** Posix.IO.StatBatch: one span with count, total, maximum. lstat and the named attributes of many paths beneath `dir` (relative, resolved beneath). */
  statBatch(
    dir: Fd,
    paths: readonly (string | Uint8Array)[],
    names: readonly string[],
    options?: Options,
  ): Step<BatchEntry[]>
  /**
   * Posix.IO.CopyPart > FastFileCopy > CopyFileRange (or FastFileCopy alone, see trace-contract 3.4) is drawn by the caller from the
   * step's times; this records no span by itself. Copies `length` bytes: reflink (FICLONERANGE, offsets aligned as it
   * needs), else copy_file_range, else read/write; value: method and bytes. `methods` limits what is tried, in order.
   */
  copyRange(
    from: Fd,
    fromOffset: number,
    to: Fd,
    toOffset: number,
    length: number,
    options: Options & { methods: readonly CopyMethod[]; hasher?: Hasher },
  ): Step<CopyResult>
  /** sync_file_range(2) SYNC_FILE_RANGE_WRITE: starts write-back, waits for nothing, within the span before it. */
  startWriteback(file: Fd, offset: number, length: number): Step<void>
  /** Posix.IO.WaitLock. Opens `name` in `dir` (created 0600) and takes an open-file-description lock on it, waiting at most `timeoutMs` (then ETIMEDOUT). value: the descriptor that holds the lock (keep to hold it after the chain). */
  lock(
    dir: Fd,
    name: string,
    options: Options & { exclusive: boolean; timeoutMs: number; keep?: boolean },
  ): Step<number>
  /** ftruncate(2). */
  truncate(file: Fd, size: number): Step<void>
  /** futimens(2) of the modification time alone, within the span before it. */
  setModified(file: Fd, time: ModifiedTime): Step<void>
  /** fchown(2), within the span before it. */
  setOwner(fd: Fd, owner: Owner): Step<void>
  /** close(2) of a descriptor the caller owns (errors are ignored). */
  close(fd: number): Step<void>
  /** Posix.IO.* span names are the methods'; the next steps' spans go under `span` instead (CopyPart and the like). */
  under(span: Span): this
  /**
   * Runs the chain. Rejects with IoError at the first step that fails. May be longer than one job of the addon: then
   * it is run as several, with the same meaning.
   */
  run(): Promise<void>
  /** Times of a step that ran, ns of the trace clock. */
  times(step: Step<unknown>): StepTimes
}

export type CopyMethod = 'reflink' | 'copy_file_range' | 'read_write'
export interface CopyResult {
  readonly method: CopyMethod
  readonly bytes: number
  /** The first method that was tried was refused. */
  readonly usedFallback: boolean
}

export interface SendFile {
  readonly socketFd: number
  readonly file: number
  readonly offset: number
  readonly length: number
  readonly stallMs: number
  readonly signal: AbortSignal | undefined
}
export interface SendFileResult {
  readonly bytes: number
  /** ns waiting for the socket to take more, and ns inside sendfile(2). */
  readonly clientWaitNs: number
  readonly ioNs: number
}
