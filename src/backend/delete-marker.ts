import { S3Error } from '../s3/errors.ts'
import { formatHttpDate } from '../s3/http-date.ts'

/** What was asked for is a delete marker: by its id there is nothing to be had of it, without one there is no object. */
export class DeleteMarkerError extends S3Error {
  constructor(lastModifiedMs: number, isAskedById: boolean) {
    const headers = {
      'x-amz-delete-marker': 'true',
      'Last-Modified': formatHttpDate(lastModifiedMs),
    }
    super(isAskedById ? 'MethodNotAllowed' : 'NoSuchKey', {}, { headers })
  }
}
