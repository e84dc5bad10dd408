import { createHash } from 'node:crypto'
import type { Fixture, RawRequest } from './fixture.ts'
import { startUpload } from './multipart.ts'
import { formBody, formType } from './post-form.ts'
import type { RawResponse } from './raw-http.ts'

/** A way to get rid of what an object holds; resolves with the answer. */
export type Door = (
  at: Fixture,
  bucket: string,
  key: string,
  more?: RawRequest,
) => Promise<RawResponse>

const LARGE = Buffer.alloc(300 * 1024, 'z')

const copy =
  (source: (bucket: string, key: string) => string, directive: string): Door =>
  (at, bucket, key, more = {}) =>
    at.send('PUT', `/${bucket}/${key}`, {
      ...more,
      headers: {
        'x-amz-copy-source': source(bucket, key),
        'x-amz-metadata-directive': directive,
        ...(more.headers as Record<string, string> | undefined),
      },
    })

/** Expects an object `source` in the bucket. */
export const OVERWRITING: Readonly<Record<string, Door>> = {
  'PutObject, small': (at, bucket, key, more) =>
    at.send('PUT', `/${bucket}/${key}`, { ...more, body: 'other' }),
  'PutObject, large': (at, bucket, key, more) =>
    at.send('PUT', `/${bucket}/${key}`, { ...more, body: LARGE }),
  CopyObject: copy((bucket) => `${bucket}/source`, 'COPY'),
  'CopyObject onto itself': copy((bucket, key) => `${bucket}/${key}`, 'REPLACE'),
  CompleteMultipartUpload: async (at, bucket, key, more = {}) => {
    const upload = await startUpload(at, ['part'], { bucket, key })
    const part = `<Part><PartNumber>1</PartNumber><ETag>${upload.etags[0]}</ETag></Part>`
    return at.send('POST', upload.target(), {
      ...more,
      body: `<CompleteMultipartUpload>${part}</CompleteMultipartUpload>`,
    })
  },
}

/** A form has no header of its own. */
export const POST_OBJECT: Door = (at, bucket, key) =>
  at.send('POST', `/${bucket}`, {
    headers: { 'Content-Type': formType() },
    body: formBody({ fields: [['key', key]], file: 'form' }, bucket, at.credentials),
    sign: false,
  })

export const deleteMany = (
  at: Fixture,
  bucket: string,
  keys: readonly string[],
  more: RawRequest = {},
): Promise<RawResponse> => {
  const objects = keys.map((key) => `<Object><Key>${key}</Key></Object>`)
  const body = `<Delete>${objects.join('')}</Delete>`
  const md5 = createHash('md5').update(body).digest('base64')
  const headers = { 'Content-MD5': md5, ...(more.headers as Record<string, string> | undefined) }
  return at.send('POST', `/${bucket}?delete`, { ...more, headers, body })
}

export const DELETING: Readonly<Record<string, Door>> = {
  DeleteObject: (at, bucket, key, more) => at.send('DELETE', `/${bucket}/${key}`, more),
  DeleteObjects: (at, bucket, key, more) => deleteMany(at, bucket, [key], more),
}

/** With a condition that holds. */
export const DELETE_IF_MATCH: Door = (at, bucket, key) =>
  at.send('DELETE', `/${bucket}/${key}`, { headers: { 'If-Match': '*' } })
