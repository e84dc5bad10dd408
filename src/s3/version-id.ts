import { S3Error } from './errors.ts'

/** `versionId` of a request: `null`, or a ULID as VersityGW makes them; undefined where none is asked for. */
export function parseVersionId(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if (isVersionId(text)) return text
  throw invalidVersion(text)
}

export function isVersionId(text: string): boolean {
  return text === 'null' || ULID.test(text)
}

/** `versionId` of a delete or of a copy's source: the one version an object has without versioning is `null`. */
export function parseNullVersionId(text: string | undefined): 'null' | undefined {
  if (text === undefined || text === '') return undefined
  if (text === 'null') return text
  throw invalidVersion(text)
}

/** 26 digits of Crockford's base 32, of which the first holds three bits. Nothing else becomes part of a path. */
const ULID = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/i

/** What no version can be called; for deletes, also what no version of the object is called. */
export function invalidVersion(text: string): S3Error {
  return new S3Error(
    'InvalidArgument',
    { ArgumentName: 'versionId', ArgumentValue: text },
    { message: 'Invalid version id specified' },
  )
}

/** Tells which version was asked for, where one was. */
export function versionHeader(versionId: string | undefined): string[] {
  return versionId === undefined ? [] : ['x-amz-version-id', versionId]
}
