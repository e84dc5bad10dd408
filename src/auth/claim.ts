/** What a request says about its signature, read from the Authorization header, from the query or from the fields of a form. */
export interface Claim {
  readonly method: 'header' | 'presigned' | 'post-policy'
  readonly accessKey: string
  /** `YYYYMMDD` of the credential. */
  readonly date: string
  readonly region: string
  /** `YYYYMMDD/region/s3/aws4_request` */
  readonly scope: string
  /** `YYYYMMDDTHHMMSSZ`, as sent. */
  readonly timestamp: string
  /** As sent, joined by `;`. */
  readonly signedHeaders: string
  readonly signature: string
  /** Last line of the canonical request. */
  readonly payloadHash: string
  /** What the body is, in the same words: a presigned URL signs no body, a header beside it may still tell its digest. */
  readonly bodyHash: string
  /** Of version 2 alone, which has neither date nor region nor scope: what its signature covers, in each spelling that clients sign. */
  readonly toSign: readonly string[] | undefined
  /** Checks that come after the access key has been found and before the signature is compared; throws. */
  readonly check: () => void
}
