import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, test } from 'vitest'
import type { Fixture } from '../support/fixture.ts'
import type { RawResponse } from '../support/raw-http.ts'
import {
  replay,
  useReplayGateway,
  type Difference,
  type RecordedRequest,
  type RecordedStep,
} from '../support/replay.ts'
import { attributeBytes } from '../support/tree.ts'

/**
 * CORS and website configurations, preflights, and requests of pages, as VersityGW answers and stores them: a recording of
 * good and bad requests, in the order in which they were sent, without and with `--cors-allow-origin`.
 */
interface Recording {
  readonly flags: readonly string[]
  readonly steps: readonly RecordedStep<RecordedPageRequest>[]
}

/**
 * `answer` tells of Content-Type, Location, Vary and what begins with Access-Control-, `xml` of errors and of the
 * configurations, `disk` of the one attribute, a website's unpacked.
 */
interface RecordedPageRequest extends RecordedRequest {
  /** Its body was a good website configuration around a comment of so many characters. */
  readonly fill?: number
}

const recordings = JSON.parse(
  readFileSync(new URL('cors.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Recording>>

const DIFFERENCES: readonly Difference<RecordedPageRequest>[] = [
  {
    clause: '6.4: a document with another root, or with text behind it, is malformed',
    matches: ({ method, body = '' }) =>
      method === 'PUT' && (body.startsWith('<cors>') || body.endsWith('</CORSConfiguration>x')),
    ours: { status: 400, code: 'MalformedXML' },
  },
  {
    clause: 'the same: what was stored before that document is still there',
    matches: ({ method, target, xml = '' }) =>
      method === 'GET' && target === '/bktb?cors' && xml === AS_PUT_BEFORE,
    ours: { status: 200 },
  },
  {
    clause: 'what cannot be read is not there',
    matches: ({ status, method, target }) =>
      status === 500 && method === 'GET' && /^\/bkt[hx]\?/.test(target),
    ours: { status: 404 },
  },
  {
    clause: 'the same: and allows nothing',
    matches: ({ status, method }) => status === 500 && method === 'OPTIONS',
    ours: { status: 403, code: 'AccessForbidden' },
  },
  {
    clause: 'A20: what no header can hold, and PutBucketCors refuses, is in none',
    matches: ({ answer = {} }) =>
      answer['access-control-expose-headers']?.includes('Set-Cookie') === true,
    ours: { status: 200, header: ['set-cookie', undefined] },
  },
  {
    clause: 'the same',
    matches: ({ answer = {} }) =>
      answer['access-control-expose-headers']?.startsWith('a b, ok') === true,
    ours: { status: 200 },
  },
  {
    clause: 'the same',
    matches: ({ answer = {} }) => answer['access-control-allow-methods']?.includes('X: y') === true,
    ours: { status: 200, header: ['access-control-allow-methods', 'GET'] },
  },
  {
    clause: 'pages may read why the body that they sent was refused',
    matches: ({ xml = '', headers = {} }) =>
      'Origin' in headers && /<Code>BadDigest<|Missing required header/.test(xml),
    ours: {
      status: 400,
      header: ['access-control-allow-origin', 'https://app.example.com'],
    },
  },
  {
    clause: '4.1: invalid names win, also over --cors-allow-origin',
    matches: ({ method, target }) => method === 'OPTIONS' && target === '/B',
    ours: { status: 400, code: 'InvalidBucketName' },
  },
  {
    clause: 'RFC 9110, 15.4.5: 304 does not tell the type of an error document',
    matches: ({ status }) => status === 304,
    ours: { status: 304 },
  },
]

const AS_PUT_BEFORE =
  '<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>'

describe.each(Object.entries(recordings))('%s', (_, { flags, steps }) => {
  const at = useReplayGateway(flags)

  test('every answer, and what is stored, is VersityGW’s', () =>
    replay(
      at,
      steps,
      DIFFERENCES,
      (request, answer) => ({
        expected: { answer: request.answer ?? {}, xml: request.xml, disk: request.disk },
        got: {
          answer: shownHeaders(answer),
          xml: request.xml === undefined ? undefined : shownXml(answer.text),
          disk:
            request.disk === undefined || answer.status >= 300 ? undefined : stored(at, request),
        },
      }),
      ({ fill, body }) => (fill === undefined ? body : filled(fill)),
    ))
})

function filled(characters: number): string {
  const index = '<IndexDocument><Suffix>index.html</Suffix></IndexDocument>'
  return `<WebsiteConfiguration>${index}<!--${'x'.repeat(characters)}--></WebsiteConfiguration>`
}

function shownHeaders({ headers }: RawResponse): Record<string, string> {
  const shown = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => /^(?:content-type|location|vary|access-control-.*)$/.test(name))
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function shownXml(text: string): string {
  return text.slice(text.indexOf('\n') + 1).replace(/<RequestId>.*<\/HostId>/, '')
}

function stored(at: Fixture, { target, disk = {} }: RecordedRequest): Record<string, string> {
  const bucket = at.path(target.slice(1).split('?')[0] ?? '')
  const [name = ''] = Object.keys(disk)
  const bytes = attributeBytes(bucket, name)
  return { [name]: (name === 'website' ? gunzipSync(bytes) : bytes).toString() }
}
