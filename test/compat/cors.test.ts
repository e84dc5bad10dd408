import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { useGateway, type Fixture } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { attributeBytes, setAttribute } from '../support/tree.ts'

/**
 * CORS and website configurations, preflights, and requests of pages, as VersityGW answers and stores them: a recording of
 * good and bad requests, in the order in which they were sent, without and with `--cors-allow-origin`.
 */
interface Recording {
  readonly flags: readonly string[]
  readonly steps: readonly Step[]
}

type Step =
  | { readonly mkdir: string }
  | { readonly setattr: readonly [path: string, name: string, value: string] }
  | RecordedRequest

interface RecordedRequest {
  readonly as?: 'alice' | 'bob' | 'anonymous'
  readonly method: string
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Its body was a good website configuration around a comment of so many characters. */
  readonly fill?: number
  /** It was sent with Content-MD5. */
  readonly md5?: boolean
  readonly status: number
  /** Content-Type, Location, Vary and what begins with Access-Control-. */
  readonly answer?: Readonly<Record<string, string>>
  /** Of errors, and of the configurations. */
  readonly xml?: string
  /** The attribute after the request, a website's unpacked. */
  readonly disk?: Readonly<Record<string, string>>
}

const recordings = JSON.parse(
  readFileSync(new URL('cors.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Recording>>

/** Where we answer otherwise on purpose, with the clause that says so; `ours` is what we answer instead. */
interface Difference {
  readonly clause: string
  readonly matches: (request: RecordedRequest) => boolean
  readonly ours: { readonly status: number; readonly code?: string; readonly header?: Header }
}

type Header = readonly [name: string, value: string | undefined]

const DIFFERENCES: readonly Difference[] = [
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

const IAM = {
  alice: { access: 'alice', secret: 'alicesecret12', role: 'userplus' },
  bob: { access: 'bob', secret: 'bobsecret1234', role: 'user' },
} as const
const ROOT = { ROOT_ACCESS_KEY_ID: 'vgwroot', ROOT_SECRET_ACCESS_KEY: 'vgwrootsecret1' }

describe.each(Object.entries(recordings))('%s', (_, { flags, steps }) => {
  const dir = mkdtempSync(join(scratch(), 'vgw-cors-'))
  for (const name of ['data', 'iam']) mkdirSync(join(dir, name))
  const accounts = Object.values(IAM).map(
    (account) => [account.access, { ...account, userID: 0, groupID: 0, projectID: 0 }] as const,
  )
  const file = JSON.stringify({ accessAccounts: Object.fromEntries(accounts) })
  writeFileSync(join(dir, 'iam', 'users.json'), file, { mode: 0o600 })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const at = useGateway({
    dir: join(dir, 'data'),
    env: ROOT,
    flags: ['--iam-dir', join(dir, 'iam'), ...flags],
  })

  test('every answer, and what is stored, is VersityGW’s', async () => {
    const wrong: unknown[] = []
    for (const step of steps) {
      if ('mkdir' in step) mkdirSync(at.path(step.mkdir))
      else if ('setattr' in step) {
        const [path, name, value] = step.setattr
        setAttribute(at.path(path), name, value)
      } else {
        const problem = await compare(at, step)
        if (problem !== undefined) wrong.push({ ...step, ...problem })
      }
    }
    expect(wrong).toEqual([])
  })
})

async function compare(at: Fixture, request: RecordedRequest): Promise<object | undefined> {
  const answer = await send(at, request)
  const difference = DIFFERENCES.find(({ matches }) => matches(request))
  if (difference !== undefined) {
    const { status, code, header } = difference.ours
    const isOurs =
      answer.status === status &&
      (code === undefined || answer.text.includes(`<Code>${code}</Code>`)) &&
      (header === undefined || answer.header(header[0]) === header[1])
    return isOurs ? undefined : { clause: difference.clause, got: answer.status, text: answer.text }
  }
  const { status, answer: headers = {}, xml, disk } = request
  const got = {
    status: answer.status,
    headers: shownHeaders(answer),
    xml: xml === undefined ? undefined : shownXml(answer.text),
    disk: disk === undefined || answer.status >= 300 ? undefined : stored(at, request),
  }
  const problems = Object.entries({ status, headers, xml, disk }).filter(
    ([name, expected]) =>
      JSON.stringify(expected) !== JSON.stringify(got[name as keyof typeof got]),
  )
  if (problems.length === 0) return undefined
  return {
    got: Object.fromEntries(problems.map(([name]) => [name, got[name as keyof typeof got]])),
  }
}

function send(at: Fixture, request: RecordedRequest): Promise<RawResponse> {
  const { as, method, target, headers = {}, md5 = false, fill } = request
  const body = fill === undefined ? request.body : filled(fill)
  const digest = createHash('md5')
    .update(body ?? '')
    .digest('base64')
  return at.send(method, target, {
    headers: { ...headers, ...(md5 && { 'Content-MD5': digest }) },
    ...(body !== undefined && { body }),
    ...(as === 'anonymous' ? { sign: false } : as !== undefined && { credentials: IAM[as] }),
  })
}

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
