import type { Tags } from '../backend/backend.ts'
import type { AnyPayload } from '../backend/payload.ts'
import type { DeclaredChecksum } from './checksum.ts'
import { S3Error } from './errors.ts'
import { fromHeader } from './metadata.ts'
import type { S3Settings } from './operation.ts'
import { encodeQueryText } from './query-text.ts'
import type { S3Request } from './request.ts'

/** A browser's upload: what came before its file, and the file. */
export interface PostForm {
  /** By name, in lower case, each once; a character is a byte, as in headers. */
  readonly fields: ReadonlyMap<string, string>
  readonly file: FormFile
  /** Of the field `tagging`: what it says, or what is wrong with it. */
  readonly tags: Tags | S3Error | undefined
}

export interface FormFile extends AnyPayload {
  /** What the client calls it; a character is a byte. */
  readonly name: string | undefined
  /** Refuses the file unless it is of this length and has this checksum. */
  expect(range: LengthRange, checksum: DeclaredChecksum | undefined): void
}

/** Bytes, both ends included. */
export interface LengthRange {
  readonly min: number
  readonly max: number
}

/** Fields that mean what the header of that name means to PutObject. */
const HEADERS: ReadonlySet<string> = new Set([
  'content-type',
  'content-encoding',
  'content-language',
  'content-disposition',
  'cache-control',
  'expires',
  'x-amz-website-redirect-location',
  'x-amz-date',
])
const HEADER_FAMILY = /^x-amz-(?:meta-|checksum-)/
/** Of the request itself. */
const KEPT = ['host', 'origin', 'user-agent', 'referer', 'x-amz-expected-bucket-owner'] as const

/**
 * A form as the request it stands for: its key and its fields are where a PutObject has them, so that all that reads a
 * request (signature, policies, metadata, checksums) needs to know one kind. InvalidArgument where there is no key.
 *
 * In S3's dialect the key is first given the name of the file where it asks for that, so that a policy is held against what is
 * written; VersityGW takes it literally (contract 4.5).
 */
export function formRequest(
  request: S3Request,
  { fields: sent, file, tags }: PostForm,
  dialect: S3Settings['dialect'],
): S3Request {
  const key = keyOf(sent, dialect === 'aws' ? file.name : undefined)
  if (key === undefined || key === '') throw missingField('key')
  const fields = key === sent.get('key') ? sent : new Map(sent).set('key', key)
  const headers: Record<string, string> = {}
  for (const name of KEPT) {
    const value = request.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  for (const [name, value] of fields)
    if (HEADERS.has(name) || HEADER_FAMILY.test(name)) headers[name] = value
  if (tags !== undefined) headers['x-amz-tagging'] = taggingHeader(tags)
  return { ...request, key: fromHeader(key), headers, form: fields }
}

/** The last component of the file's name stands where `${filename}` does: some browsers send the whole path. */
function keyOf(fields: PostForm['fields'], filename: string | undefined): string | undefined {
  const base = filename?.split(/[/\\]/).at(-1)
  const key = fields.get('key')
  return base === undefined ? key : key?.replaceAll('${filename}', () => base)
}

/** Also for tags that cannot be read there is something to ask a right for. */
function taggingHeader(tags: Tags | S3Error): string {
  if (tags instanceof S3Error) return '='
  const pairs = Object.entries(tags)
  return pairs.map(([key, value]) => `${encodeQueryText(key)}=${encodeQueryText(value)}`).join('&')
}

export function missingField(name: string): S3Error {
  const message = `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`
  return new S3Error('InvalidArgument', { ArgumentName: name }, { message })
}
