/** Every error this gateway answers by its static wording: code → status and message. */
const S3_ERRORS = {
  AccessDenied: [403, 'Access Denied.'],
  InternalError: [500, 'We encountered an internal error, please try again.'],
  NoSuchBucket: [404, 'The specified bucket does not exist.'],
  NoSuchKey: [404, 'The specified key does not exist.'],
} as const satisfies Record<string, readonly [status: number, message: string]>

export type S3ErrorCode = keyof typeof S3_ERRORS

export interface S3ErrorOptions {
  /** Where a code has more than one message. */
  message?: string
  /** Where a code has more than one status. */
  status?: number
  cause?: unknown
  /** Response headers that belong to the error, such as Allow. */
  headers?: Record<string, string>
}

/**
 * An answer of 300 and above. `details` become elements of the error document, in this order, after Code and Message.
 */
export class S3Error extends Error {
  readonly code: S3ErrorCode
  readonly status: number
  readonly details: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>

  constructor(code: S3ErrorCode, details: Record<string, string> = {}, options: S3ErrorOptions = {}) {
    const [status, message] = S3_ERRORS[code]
    super(options.message ?? message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'S3Error'
    this.code = code
    this.status = options.status ?? status
    this.details = details
    this.headers = options.headers ?? {}
  }
}
