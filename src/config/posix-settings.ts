import { setting, toggle } from './setting.ts'
import { choice, integer, text } from './values.ts'

/** Settings of the posix backend; on the command line they stand after `posix`. */
export const POSIX_SETTINGS = {
  durability: setting({
    scope: 'posix',
    flag: 'durability',
    env: 'VGW_DURABILITY',
    parse: choice('full', 'none'),
    default: 'full',
    help: 'full: what is answered is on disk; none: no sync calls, as VersityGW',
  }),
  chuid: toggle({
    scope: 'posix',
    flag: 'chuid',
    env: 'VGW_CHOWN_UID',
    help: 'new files and directories belong to the user id of the account that makes them',
  }),
  chgid: toggle({
    scope: 'posix',
    flag: 'chgid',
    env: 'VGW_CHOWN_GID',
    help: 'and to its group id',
  }),
  bucketlinks: toggle({
    scope: 'posix',
    flag: 'bucketlinks',
    env: 'VGW_BUCKET_LINKS',
    help: 'list symbolic links to directories as buckets too',
  }),
  dirPerms: setting({
    scope: 'posix',
    flag: 'dir-perms',
    env: 'VGW_DIR_PERMS',
    parse: integer(0, 0o7777),
    default: 0o755,
    help: 'mode of new directories, before the umask (default 0755)',
  }),
  disableOtmp: toggle({
    scope: 'posix',
    flag: 'disableotmp',
    env: 'VGW_DISABLE_OTMP',
    help: 'named temporary files instead of O_TMPFILE',
  }),
  disableCopyFileRange: toggle({
    scope: 'posix',
    flag: 'disable-copy-file-range',
    env: 'VGW_DISABLE_COPY_FILE_RANGE',
    help: 'copy by read and write (some NFS servers hang on in-kernel copies)',
  }),
  followSymlinks: toggle({
    scope: 'posix',
    flag: 'follow-symlinks',
    env: 'VGW_FOLLOW_SYMLINKS',
    help: 'follow symbolic links inside buckets, wherever they lead',
  }),
  defaultEtag: setting({
    scope: 'posix',
    flag: 'default-etag',
    env: 'VGW_DEFAULT_ETAG',
    parse: text,
    help: 'ETag of files that have none',
  }),
  dataIntegrityEtag: toggle({
    scope: 'posix',
    flag: 'data-integrity-etag',
    env: 'VGW_DATA_INTEGRITY_ETAG',
    help: 'ETags from checksums instead of MD5, which is then not computed',
  }),
  concurrency: setting({
    scope: 'posix',
    flag: 'concurrency',
    env: 'VGW_POSIX_CONCURRENCY',
    parse: integer(1),
    default: 5000,
    help: 'backend calls at a time; more wait',
  }),
  ioThreads: setting({
    scope: 'posix',
    flag: 'io-threads',
    env: 'VGW_IO_THREADS',
    parse: integer(1, 1024),
    default: 8,
    help: 'threads that run system calls',
  }),
  ioBufferSize: setting({
    scope: 'posix',
    flag: 'io-buffer-size',
    env: 'VGW_POSIX_IO_BUFFER_SIZE',
    parse: integer(4096, 1024 ** 3),
    default: 1024 ** 2,
    help: 'bytes of the buffer where copies go through memory',
  }),
  versioningDir: setting({
    scope: 'posix',
    flag: 'versioning-dir',
    env: 'VGW_VERSIONING_DIR',
    parse: text,
    help: 'existing directory where old versions go; without it there is no versioning',
  }),
}
