import { S3Error } from './errors.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * `uploadId` of an operation on an upload: NoSuchUpload where no upload can be called so. Uploads are directories: what
 * is a path, or empty, must not come near them.
 */
export function parseUploadId(text: string | undefined): string {
  if (text !== undefined && UUID.test(text)) return text
  throw new S3Error('NoSuchUpload', { UploadId: text ?? '' })
}

/** `upload-id-marker` of a listing; empty where absent. */
export function parseUploadIdMarker(text: string | undefined): string {
  if (text === undefined || text === '' || UUID.test(text)) return text ?? ''
  throw new S3Error(
    'InvalidArgument',
    { ArgumentName: 'upload-id-marker', ArgumentValue: text },
    { message: 'Invalid uploadId marker' },
  )
}
