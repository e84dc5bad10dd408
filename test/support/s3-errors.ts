import { S3Error } from '../../src/s3/errors.ts'

/** The code of what `run` throws, or `none` where it throws nothing. */
export function codeOf(run: () => unknown): string {
  try {
    run()
    return 'none'
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
}

/** The S3Error that `run` throws; anything else fails the test. */
export function errorOf(run: () => unknown): S3Error {
  try {
    run()
  } catch (error) {
    if (error instanceof S3Error) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
