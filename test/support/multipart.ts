import {
  CreateMultipartUploadCommand,
  UploadPartCommand,
  type ChecksumAlgorithm,
  type ChecksumType,
} from '@aws-sdk/client-s3'
import type { Fixture } from './fixture.ts'
import type { RawResponse } from './raw-http.ts'

export const MiB = 1024 * 1024

export interface Upload {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  /** Of the parts uploaded at the start. */
  readonly etags: readonly string[]
  target(query?: string): string
  part(
    number: number,
    body: Buffer | string,
    headers?: Record<string, string>,
  ): Promise<RawResponse>
  /** Completes with these parts; those uploaded at the start unless given. */
  complete(parts?: readonly Part[] | string, headers?: Record<string, string>): Promise<RawResponse>
}

export interface Part {
  readonly number: number
  readonly etag: string
  /** More elements, such as `<ChecksumCRC32>…`. */
  readonly more?: string
}

export interface UploadOptions {
  readonly bucket?: string
  readonly key?: string
  readonly algorithm?: ChecksumAlgorithm
  readonly type?: ChecksumType
}

/** Begins an upload and sends these parts, without a checksum header unless one is declared. */
export async function startUpload(
  fixture: Fixture,
  parts: readonly (Buffer | string)[] = [],
  options: UploadOptions = {},
): Promise<Upload> {
  const bucket = options.bucket ?? (await fixture.bucket())
  const key = options.key ?? 'k'
  const { algorithm, type } = options
  const { UploadId: uploadId = '' } = await fixture.s3.send(
    new CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ChecksumAlgorithm: algorithm,
      ChecksumType: type,
    }),
  )
  // The SDK asks for a checksum of its own unless told not to; a raw part has none.
  const target = (query = ''): string =>
    `/${bucket}/${encodeURIComponent(key)}?${query}${query === '' ? '' : '&'}uploadId=${uploadId}`
  const upload: Upload = {
    bucket,
    key,
    uploadId,
    etags: [],
    target,
    part: (number, body, headers = {}) =>
      fixture.send('PUT', target(`partNumber=${number}`), { body, headers }),
    complete: (list, headers = {}) => {
      const xml =
        typeof list === 'string'
          ? list
          : completeXml(list ?? upload.etags.map((etag, i) => ({ number: i + 1, etag })))
      return fixture.send('POST', target(), { body: xml, headers })
    },
  }
  const etags: string[] = []
  for (const [i, body] of parts.entries()) {
    if (algorithm === undefined) {
      const { status, header, text } = await upload.part(i + 1, body)
      if (status !== 200) throw new Error(`part ${i + 1}: ${status} ${text}`)
      etags.push(header('etag') ?? '')
    } else {
      const input = {
        Bucket: bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber: i + 1,
        Body: body,
        ChecksumAlgorithm: algorithm,
      }
      etags.push((await fixture.s3.send(new UploadPartCommand(input))).ETag ?? '')
    }
  }
  return Object.assign(upload, { etags })
}

export function completeXml(parts: readonly Part[]): string {
  const list = parts.map(
    ({ number, etag, more = '' }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${escape(etag)}</ETag>${more}</Part>`,
  )
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join('')}</CompleteMultipartUpload>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
