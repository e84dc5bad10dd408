import { S3Error } from './errors.ts'

const MAX_KEY_BYTES = 1024
/** Where the posix backend keeps what is not finished; no part of a bucket's name space. */
const RESERVED = '.sgwtmp'

const STRICT_BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const IPV4_LOOKING = /^\d+\.\d+\.\d+\.\d+$/
const BUCKET_PATH = /[/\0]/

/**
 * InvalidBucketName unless `name` can be a bucket.
 *
 * Strict names are S3's; relaxed ones (`--disable-strict-bucket-names`) are whatever one directory entry can be called.
 */
export function checkBucketName(name: string, strict: boolean): void {
  if (!isBucketName(name, strict)) throw new S3Error('InvalidBucketName', { BucketName: name })
}

export function isBucketName(name: string, strict: boolean): boolean {
  if (strict) return STRICT_BUCKET.test(name) && !IPV4_LOOKING.test(name)
  if (name === '' || name === '.' || name === '..' || name === RESERVED) return false
  return !BUCKET_PATH.test(name) && Buffer.byteLength(name) <= 255
}

/** InvalidBucketName for a name that S3 gives to no new bucket, though VersityGW does: its labels are those of DNS. */
export function checkLabels(name: string): void {
  if (/\.\.|\.-|-\./.test(name)) throw new S3Error('InvalidBucketName', { BucketName: name })
}

/** Answers 400 unless `key` names something inside its bucket: see `normalizeKey`. */
export function checkKey(key: string): void {
  normalizeKey(key)
}

/**
 * The path of a key beneath its bucket: `a//b`, `./a/b`, `/a/b` and `x/../a/b` all mean `a/b`, and a trailing slash (a
 * directory object) is kept. Whatever is authorized, opened or listed must be this path, never the key as sent.
 *
 * Throws where nothing is left of the key, where it climbs out of the bucket, and where it enters the gateway's own area.
 */
export function normalizeKey(key: string): string {
  // A UTF-16 unit is at most three bytes of UTF-8: most keys need no count.
  if (key.length * 3 > MAX_KEY_BYTES) checkLength(key)
  if (key.includes('\0')) throw badKey()
  const path = needsCleaning(key) ? clean(key) : key
  if (path === '' || path === '/') throw badKey()
  if (path.includes(RESERVED) && path.split('/').includes(RESERVED)) throw badKey()
  return path
}

function checkLength(key: string): void {
  const size = Buffer.byteLength(key)
  if (size <= MAX_KEY_BYTES) return
  throw new S3Error('KeyTooLongError', {
    Size: String(size),
    MaxSizeAllowed: String(MAX_KEY_BYTES),
  })
}

/** True where a component is empty, `.` or `..`; one trailing slash is no empty component. */
function needsCleaning(key: string): boolean {
  if (key.startsWith('/') || key.includes('//')) return true
  if (!key.includes('.')) return false
  return `/${key}/`.includes('/./') || `/${key}/`.includes('/../')
}

function clean(key: string): string {
  const components: string[] = []
  for (const component of key.split('/')) {
    if (component === '' || component === '.') continue
    if (component !== '..') components.push(component)
    else if (components.pop() === undefined) throw badKey()
  }
  const path = components.join('/')
  return key.endsWith('/') ? `${path}/` : path
}

function badKey(): S3Error {
  return new S3Error('400')
}
