import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { useGateway, type Fixture } from '../support/fixture.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { attributesOf } from '../support/tree.ts'

/**
 * Checksums as VersityGW answers and stores them: each of the ten algorithms as header, trailer and of a document, right,
 * wrong and malformed, on objects, copies, parts and uploads.
 */
interface Step {
  readonly method: string
  /** `{name}` stands for the id of the upload of that name. */
  readonly target: string
  /** The name under which the answer's upload id is remembered. */
  readonly upload?: string
  readonly headers?: Readonly<Record<string, string>>
  /** A number: so many times `a`. */
  readonly body?: string | number
  /** Sent behind the body, in chunks without signatures. */
  readonly trailer?: readonly [name: string, value: string]
  readonly status: number
  readonly answer?: Readonly<Record<string, string>>
  readonly xml?: string
  /** A path and its attribute `checksums`. */
  readonly disk?: readonly [path: string, checksums: string | null]
}

const steps = JSON.parse(
  readFileSync(new URL('checksums.json', import.meta.url), 'utf8'),
) as readonly Step[]

const at = useGateway({
  env: { ROOT_ACCESS_KEY_ID: 'root', ROOT_SECRET_ACCESS_KEY: 'rootsecret123' },
})

/** Where we answer otherwise on purpose. */
function isOurOwn(step: Step): boolean {
  // Contract 2.3: the type of a part's checksum is the empty string, also where it was taken over from the source.
  return (
    step.disk?.[1]?.startsWith('{"Algorithm":"CRC64NVME","Type":"FULL_OBJECT"') === true &&
    step.target.includes('partNumber')
  )
}

test('every answer, and what is stored, is VersityGW’s', async () => {
  const uploads = new Map<string, string>()
  const named = (text: string): string =>
    text.replace(/\{(.*?)\}/g, (_, name: string) => uploads.get(name) ?? '')
  const wrong: unknown[] = []
  for (const step of steps) {
    const answer = await send(at, step, named(step.target))
    const id = answer.element('UploadId')
    if (step.upload !== undefined && id !== undefined) uploads.set(step.upload, id)
    const [path, checksums] = step.disk ?? []
    const got = {
      status: answer.status,
      answer: checksumHeaders(answer),
      xml: answer.text.startsWith('<?xml') ? shownXml(answer.text) : undefined,
      disk:
        path === undefined ? undefined : [path, attributesOf(at.path(named(path)))['checksums']],
    }
    const expected = {
      status: step.status,
      answer: step.answer ?? {},
      xml: step.xml,
      disk: path === undefined ? undefined : [path, checksums ?? undefined],
    }
    if (isOurOwn(step)) expected.disk = [path, checksums?.replace('FULL_OBJECT', '')]
    if (JSON.stringify(got) !== JSON.stringify(expected)) wrong.push({ step, got })
  }
  expect(wrong).toEqual([])
})

function send(at: Fixture, step: Step, target: string): Promise<RawResponse> {
  const { method, headers = {}, body, trailer } = step
  const bytes = typeof body === 'number' ? Buffer.alloc(body, 'a') : Buffer.from(body ?? '')
  if (trailer === undefined)
    return at.send(method, target, { headers, ...(body !== undefined && { body: bytes }) })
  const chunk =
    bytes.length === 0
      ? []
      : [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]
  return at.send(method, target, {
    headers: {
      ...headers,
      'x-amz-trailer': trailer[0],
      'x-amz-decoded-content-length': String(bytes.length),
      'Content-Encoding': 'aws-chunked',
    },
    body: Buffer.concat([...chunk, Buffer.from(`0\r\n${trailer.join(':')}\r\n\r\n`)]),
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  })
}

function checksumHeaders({ headers }: RawResponse): Record<string, string> {
  const shown = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name === 'etag' || name.startsWith('x-amz-checksum'))
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function shownXml(text: string): string {
  return text
    .slice(text.indexOf('\n') + 1)
    .replace(/<RequestId>.*<\/HostId>/, '')
    .replaceAll(/<UploadId>[^<]*/g, '<UploadId>*')
    .replaceAll(/<(LastModified|Initiated)>[^<]*/g, '<$1>*')
    .replaceAll(at.host, '*')
}
