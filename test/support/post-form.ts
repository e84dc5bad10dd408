import { createHmac } from 'node:crypto'
import type { Credentials } from './sigv4.ts'

/** A browser's upload: a form of fields in their order, its policy signed with Signature Version 4 where somebody signs it. */
export interface PostForm {
  readonly fields?: readonly (readonly [name: string, value: string])[]
  /** Bytes of the file; null leaves the field out. */
  readonly file?: string | Buffer | null
  readonly filename?: string
  readonly fileType?: string | undefined
  readonly after?: readonly (readonly [name: string, value: string])[]
  /** Unless given: one that covers the bucket and every field. A string is taken as it is, before base64. */
  readonly policy?: PostPolicy | string
  /** In place of the signature's fields; null leaves one out. */
  readonly signature?: Readonly<Record<string, string | null>>
  readonly boundary?: string
  /** Where the signature's fields stand. */
  readonly signatureLast?: boolean
}

export interface PostPolicy {
  /** Text, or minutes from now. */
  readonly expiration?: unknown
  readonly conditions?: readonly unknown[]
}

const BOUNDARY = '----form7MA4YWxkTrZu0gW'

export function formBody(form: PostForm, bucket: string, credentials?: Credentials): Buffer {
  const { fields = [['key', 'k']], file = 'hello', boundary = BOUNDARY, after = [] } = form
  const signed = credentials === undefined ? [] : signatureFields(form, bucket, credentials)
  const all = form.signatureLast === true ? [...fields, ...signed] : [...signed, ...fields]
  const parts = all.map(([name, value]) => fieldPart(boundary, name, value))
  if (file !== null) {
    const { filename = 'f.txt', fileType } = form
    const type = fileType === undefined ? '' : `Content-Type: ${fileType}\r\n`
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${filename}"\r\n${type}\r\n`
    parts.push(Buffer.concat([Buffer.from(head), Buffer.from(file), Buffer.from('\r\n')]))
  }
  for (const [name, value] of after) parts.push(fieldPart(boundary, name, value))
  parts.push(Buffer.from(`--${boundary}--\r\n`))
  return Buffer.concat(parts)
}

export const formType = (boundary = BOUNDARY): string => `multipart/form-data; boundary=${boundary}`

function fieldPart(boundary: string, name: string, value: string): Buffer {
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`
  return Buffer.from(`${head}${value}\r\n`)
}

/** In the order browsers are told to send them: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html */
function signatureFields(
  form: PostForm,
  bucket: string,
  { access, secret }: Credentials,
): [string, string][] {
  const { fields = [['key', 'k']], signature = {} } = form
  const now = new Date()
  const timestamp = signature['x-amz-date'] ?? now.toISOString().replace(/[-:]|\.\d+/g, '')
  const day = timestamp.slice(0, 8)
  const text =
    typeof form.policy === 'string' ? form.policy : policyText(form.policy, fields, bucket)
  const policy = signature['policy'] ?? Buffer.from(text).toString('base64')
  const hmac = (key: string | Buffer, data: string): Buffer =>
    createHmac('sha256', key).update(data).digest()
  const key = ['us-east-1', 's3', 'aws4_request'].reduce<Buffer>(hmac, hmac(`AWS4${secret}`, day))
  const all: Record<string, string | null> = {
    policy,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${access}/${day}/us-east-1/s3/aws4_request`,
    'x-amz-date': timestamp,
    'x-amz-signature': hmac(key, policy).toString('hex'),
    ...signature,
  }
  return Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null)
}

function policyText(
  policy: PostPolicy = {},
  fields: readonly (readonly [string, string])[],
  bucket: string,
): string {
  const given = 'expiration' in policy ? policy.expiration : 10
  const expiration =
    typeof given === 'number' ? new Date(Date.now() + given * 60_000).toISOString() : given
  const conditions = policy.conditions ?? [
    { bucket },
    ...fields.map(([name, value]) => ['eq', `$${name}`, value]),
  ]
  return JSON.stringify({ expiration, conditions: [...conditions, ...SIGNATURE_CONDITIONS] })
}

/** What a policy has to say of the signature's own fields. */
export const SIGNATURE_CONDITIONS = [
  ['eq', '$x-amz-algorithm', 'AWS4-HMAC-SHA256'],
  ['starts-with', '$x-amz-credential', ''],
  ['starts-with', '$x-amz-date', ''],
] as const
