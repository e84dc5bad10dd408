import type { IncomingHttpHeaders } from 'node:http'

/** A request as S3 sees it: the raw target split and decoded once, nothing normalised. Made by `http/request.ts`. */
export interface S3Request {
  readonly method: string
  /** As sent, still percent-encoded; begins with `/`. What a signature covers. */
  readonly rawPath: string
  /** As sent, without the `?`. */
  readonly rawQuery: string
  /** Decoded once; undefined at the service root. */
  readonly bucket: string | undefined
  /** Decoded once, as the client means it (`a//b` is not folded here); undefined on a bucket. */
  readonly key: string | undefined
  /** Decoded parameters; of a repeated one the first counts, and `repeatedQuery` names it. */
  readonly query: ReadonlyMap<string, string>
  readonly repeatedQuery: string | undefined
  /** Lower-case names, repeated values joined with `, `. */
  readonly headers: IncomingHttpHeaders
  /** As received: name, value, name, value … */
  readonly rawHeaders: readonly string[]
  /** http or https. */
  readonly scheme: 'http' | 'https'
  /** Host header as sent, or empty. */
  readonly host: string
  /** True when the bucket came from the host name. */
  readonly hostStyle: boolean
  /** Address of the socket's peer. */
  readonly clientAddress: string
  /** Fields of a browser's form, which stand in place of the headers then: see `formRequest`. */
  readonly form?: ReadonlyMap<string, string>
}
