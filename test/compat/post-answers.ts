import { formBody, formType } from '../support/post-form.ts'
import { exchange, type RawResponse } from '../support/raw-http.ts'
import { sha256, signHeaders, type Credentials } from '../support/sigv4.ts'
import type { FormCase } from './post-forms.ts'

const ROOT = { access: 'VGWTESTACCESS', secret: 'test/secret+0123' }
export const ACCOUNTS: Readonly<Record<'root' | 'alice' | 'bob', Credentials>> = {
  root: ROOT,
  alice: { access: 'alice', secret: 'alice-secret-0' },
  bob: { access: 'bob', secret: 'bob-secret-0' },
}

/** Buckets `bkt`, where bob may put objects, and `public`, where everybody may; either right covers the bucket and its keys. */
export async function setUp(port: number): Promise<void> {
  for (const [bucket, principal] of [
    ['bkt', 'bob'],
    ['public', '*'],
  ] as const) {
    await signed(port, 'PUT', `/${bucket}`, '')
    const arn = `arn:aws:s3:::${bucket}`
    const resources = [arn, `${arn}/*`]
    const statements = [
      { Effect: 'Allow', Principal: principal, Action: 's3:PutObject', Resource: resources },
    ]
    await signed(port, 'PUT', `/${bucket}?policy`, JSON.stringify({ Statement: statements }))
  }
}

/** What is answered to a form, without what differs from run to run, and what the object is afterwards. */
export async function answerTo(port: number, form: FormCase): Promise<Record<string, unknown>> {
  const { as = 'root', bucket = 'bkt', type, headers = {}, query = '' } = form
  const body = Buffer.from(
    form.body ?? formBody(filledIn(form), bucket, as === 'anonymous' ? undefined : ACCOUNTS[as]),
  )
  const lines = Object.entries({
    ...headers,
    ...(type !== null && { 'Content-Type': type ?? formType() }),
  })
  const target = `/${bucket}${query}`
  const head = [`POST ${target} HTTP/1.1`, `Host: gateway.test`, 'Connection: close']
  for (const [name, value] of lines) head.push(`${name}: ${value}`)
  head.push(`Content-Length: ${body.length}`, '', '')
  const answer = await exchange(port, Buffer.concat([Buffer.from(head.join('\r\n')), body]), {})
  const shown: Record<string, unknown> = { status: answer.status, ...shownHeaders(answer) }
  if (answer.text !== '') shown['xml'] = shownXml(answer.text)
  if (answer.status < 400) shown['object'] = await objectOf(port, form, bucket)
  return shown
}

/** The access key and the day are known only when the form is sent. */
function filledIn(form: FormCase): FormCase {
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  const credential = form.signature?.['x-amz-credential']
  if (!credential) return form
  const filled = credential.replace('ROOT', ROOT.access).replace('DAY', day)
  return { ...form, signature: { ...form.signature, 'x-amz-credential': filled } }
}

async function objectOf(
  port: number,
  form: FormCase,
  bucket: string,
): Promise<Record<string, unknown>> {
  const key = form.fields?.filter(([name]) => name.toLowerCase() === 'key').at(-1)?.[1] ?? 'k'
  const path = `/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
  const answer = await signed(port, 'GET', path, '', { 'x-amz-checksum-mode': 'ENABLED' })
  const tags = await signed(port, 'GET', `${path}?tagging`, '')
  const found = { status: answer.status, bytes: answer.text, ...objectHeaders(answer) }
  await signed(port, 'DELETE', path, '')
  const set = /<TagSet>.+<\/TagSet>/.exec(tags.text)?.[0]
  return set === undefined ? found : { ...found, tags: set }
}

function signed(
  port: number,
  method: string,
  target: string,
  body: string,
  more: Readonly<Record<string, string>> = {},
): Promise<RawResponse> {
  const given = [['Host', 'gateway.test'], ['Connection', 'close'], ...Object.entries(more)] as [
    string,
    string,
  ][]
  const { headers } = signHeaders({ method, target, headers: given }, ROOT, {
    payloadHash: sha256(body),
  })
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const head = `${method} ${target} HTTP/1.1\r\n${lines}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  return exchange(port, Buffer.from(head + body), {})
}

const SHOWN =
  /^(?:content-type|location|etag|x-amz-checksum-.*|x-amz-version-id|x-amz-object-size)$/
const KEPT =
  /^(?:content-(?:type|encoding|language|disposition)|cache-control|expires|etag|x-amz-(?:meta-|checksum-|website|storage-class|server|object-lock|tagging).*)$/

const shownHeaders = (answer: RawResponse): Record<string, string> => picked(answer, SHOWN)
const objectHeaders = (answer: RawResponse): Record<string, string> => picked(answer, KEPT)

function picked({ headers }: RawResponse, wanted: RegExp): Record<string, string> {
  const found = headers.map(([name, value]) => [name.toLowerCase(), value] as const)
  return Object.fromEntries(
    found.filter(([name]) => wanted.test(name)).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}

function shownXml(text: string): string {
  return text
    .slice(text.indexOf('\n') + 1)
    .replace(/<RequestId>.*<\/HostId>/, '')
    .replaceAll(/\b\d{8}T\d{6}Z/g, 'DATE')
    .replace(/(<ArgumentValue>\w+\/)\d{8}\//, '$1DAY/')
    .replace(/<StringToSign>.*<\/StringToSignBytes>/, '')
}
