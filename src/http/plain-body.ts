import { S3Error } from '../s3/errors.ts'
import { wrongLength } from './aws-chunked.ts'
import type { BodyDecoder } from './body-reader.ts'

/** A body that is the object itself: `length` bytes where that was declared, in any case at most `max`. */
export function createPlainDecoder(length: number | undefined, max: number): BodyDecoder {
  let received = 0
  return {
    holdsBytes: false,
    push(bytes, emit) {
      received += bytes.length
      if (received > (length ?? max))
        throw length === undefined ? messageTooLong(max) : wrongLength()
      emit(bytes)
    },
    finish() {
      if (length !== undefined && received !== length) throw wrongLength()
    },
  }
}

export function messageTooLong(max: number): S3Error {
  return new S3Error('MaxMessageLengthExceeded', { MaxMessageLengthBytes: String(max) })
}
