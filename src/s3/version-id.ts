import { S3Error } from './errors.ts'

/** `versionId` of a read. There are no versions before the issue that brings them: an id names nothing. */
export function parseVersionId(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  throw invalidVersion(text)
}

/** `versionId` of a delete or of a copy's source: the one version an object has without versioning is `null`. */
export function parseNullVersionId(text: string | undefined): 'null' | undefined {
  if (text === undefined || text === '') return undefined
  if (text === 'null') return text
  throw invalidVersion(text)
}

function invalidVersion(text: string): S3Error {
  return new S3Error(
    'InvalidArgument',
    { ArgumentName: 'versionId', ArgumentValue: text },
    { message: 'Invalid version id specified' },
  )
}
