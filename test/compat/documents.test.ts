import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { useGateway, type Fixture } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { attributesOf, setAttribute } from '../support/tree.ts'

/**
 * The documents hung on buckets and objects, as VersityGW answers and stores them: a recording of good and bad requests, in
 * the order in which they were sent, for a gateway without versioning, one with a versioning directory, and one without ACLs.
 */
interface Recording {
  readonly flags: readonly string[]
  readonly posixFlags: readonly string[]
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
  /** It was sent with Content-MD5. */
  readonly md5?: boolean
  readonly status: number
  readonly answer?: Readonly<Record<string, string>>
  readonly xml?: string
  /** Attributes of what the request is about, but those that every object has. */
  readonly disk?: Readonly<Record<string, string>>
}

const recordings = JSON.parse(
  readFileSync(new URL('documents.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Recording>>

/** Where we answer otherwise on purpose, with the clause that says so; `ours` is what we answer instead. */
interface Difference {
  readonly clause: string
  readonly matches: (request: RecordedRequest) => boolean
  readonly ours: {
    readonly status: number
    readonly code?: string
    readonly header?: readonly [name: string, value: string]
  }
}

const DIFFERENCES: readonly Difference[] = [
  {
    clause:
      '9.2, 17: unknown grantee in an ACL → 400-class codes; blanks around a name are none of it',
    matches: ({ status, headers = {}, body = '' }) =>
      status === 500 &&
      (Object.keys(headers).some((name) => name.startsWith('x-amz-grant-')) ||
        body.includes('AccessControlPolicy')) &&
      headers['x-amz-grant-read'] !== 'alice, bob',
    ours: { status: 400, code: 'InvalidArgument' },
  },
  {
    clause: 'the same: blanks around a name are none of it',
    matches: ({ headers = {} }) => headers['x-amz-grant-read'] === 'alice, bob',
    ours: { status: 200 },
  },
  {
    clause: '9.2, 23: shortening COMPLIANCE is refused, GOVERNANCE needs the bypass right',
    matches: ({ target, body = '', status }) =>
      status === 200 &&
      body.includes('<RetainUntilDate>2090-') &&
      /^\/lck\/(?:sh|cr)\?retention$/.test(target),
    ours: { status: 403, code: 'AccessDenied' },
  },
  {
    clause:
      '2.7: a directory that was not put is no object, nor is a file under a key with a slash',
    matches: ({ target }) => /\/(?:p\/?|dir|k\/)\?|^\/nol\/dir\/\?/.test(target),
    ours: { status: 404, code: 'NoSuchKey' },
  },
  {
    clause: '6.4: a document with another root is malformed',
    matches: ({ status, body = '' }) => status < 300 && /^<bogus\/>/i.test(body),
    ours: { status: 400, code: 'MalformedXML' },
  },
  {
    clause: '6.3: a default retention has exactly one period (4.7)',
    matches: ({ body = '' }) =>
      body.includes('<Mode>GOVERNANCE</Mode></DefaultRetention>') && !/Days|Years/.test(body),
    ours: { status: 400, code: 'MalformedXML' },
  },
  {
    clause: '6.3: lengths of tags are in characters',
    matches: ({ body = '' }) => /<Key>é{128}<|<Value>é{200}</.test(body),
    ours: { status: 204 },
  },
  {
    clause: '6.3: ten tags an object, however they come',
    matches: ({ headers = {} }) => headers['x-amz-tagging']?.endsWith('k10=v') === true,
    ours: { status: 400, code: 'BadRequest' },
  },
  {
    clause: '6.5: x-amz-tagging shall be encoded as UTF-8',
    matches: ({ headers = {} }) => headers['x-amz-tagging'] === 'a=%FF',
    ours: { status: 400, code: 'InvalidArgument' },
  },
  {
    clause: '4.7: a lock that was asked for is not left out in silence',
    matches: ({ target, headers = {} }) =>
      target === '/nol/k' && headers['x-amz-metadata-directive'] === 'REPLACE',
    ours: { status: 400, code: 'InvalidRequest' },
  },
  {
    clause: 'the same: a copy onto itself and a directory object are locked',
    matches: ({ method, target }) =>
      method === 'HEAD' && (target === '/lck/hdir/' || target === '/mlk/s'),
    ours: { status: 200, header: ['x-amz-object-lock-mode', 'GOVERNANCE'] },
  },
  {
    clause: 'the same, on disk',
    matches: ({ method, target }) => method === 'PUT' && target === '/lck/hdir/',
    ours: { status: 200 },
  },
  {
    clause: '9.2, 3: a copy onto itself tells its checksum',
    matches: ({ xml = '' }) => /Result><LastModified>\*<\/LastModified><ChecksumType>/.test(xml),
    ours: { status: 200 },
  },
  {
    clause: '2.3: the name space of a retention is stored empty',
    matches: ({ disk = {} }) => disk['object-retention']?.includes('"Space":"http') === true,
    ours: { status: 200 },
  },
  {
    clause: 'a retention that cannot be read protects',
    matches: ({ status, method, target }) =>
      status === 500 && method === 'PUT' && target === '/lck/r?retention',
    ours: { status: 403, code: 'AccessDenied' },
  },
  {
    clause: 'what cannot be read is not there',
    matches: ({ status, target }) => status === 500 && target.endsWith('?tagging'),
    ours: { status: 200 },
  },
  {
    clause: 'the same',
    matches: ({ status, target }) => status === 500 && target === '/mlk?object-lock',
    ours: { status: 404, code: 'ObjectLockConfigurationNotFoundError' },
  },
  {
    clause: 'the same',
    matches: ({ status, method, target }) =>
      status === 500 && method === 'GET' && target.endsWith('?retention'),
    ours: { status: 400 },
  },
  {
    clause: 'of two mistakes the one that can be told without a look at the object comes first',
    matches: ({ target, headers = {} }) =>
      /^\/nol\/.*versionId=bogus/.test(target) ||
      target === '/nol/l/' ||
      (target === '/nol/k' && 'If-None-Match' in headers),
    ours: { status: 400 },
  },
  {
    clause: '6.5: no time zone is a day away, no hour has sixty minutes',
    matches: ({ body = '' }) => /\+24:00<|\+05:60</.test(body),
    ours: { status: 400, code: 'MalformedXML' },
  },
]

const IAM = {
  alice: { access: 'alice', secret: 'alicesecret12', role: 'userplus' },
  bob: { access: 'bob', secret: 'bobsecret1234', role: 'user' },
} as const
const ROOT = { ROOT_ACCESS_KEY_ID: 'vgwroot', ROOT_SECRET_ACCESS_KEY: 'vgwrootsecret1' }

describe.each(Object.entries(recordings))('%s', (_, { flags, posixFlags, steps }) => {
  const dir = mkdtempSync(join(scratch(), 'vgw-documents-'))
  for (const name of ['data', 'iam', 'versions']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'iam', 'users.json'), accountsFile(), { mode: 0o600 })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const at = useGateway({
    dir: join(dir, 'data'),
    env: ROOT,
    flags: ['--iam-dir', join(dir, 'iam'), ...flags],
    posixFlags: posixFlags.map((flag) => flag.replace('@', dir)),
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

function accountsFile(): string {
  const accounts = Object.values(IAM).map(
    (account) => [account.access, { ...account, userID: 0, groupID: 0, projectID: 0 }] as const,
  )
  return JSON.stringify({ accessAccounts: Object.fromEntries(accounts) })
}

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
  const got = {
    status: answer.status,
    answer: shownHeaders(answer),
    xml: answer.text.startsWith('<?xml') ? shownXml(answer.text) : undefined,
    disk:
      request.disk === undefined || answer.status >= 300
        ? undefined
        : stored(at, request.target, answer),
  }
  const { status, answer: headers = {}, disk } = request
  const xml = request.xml === undefined ? undefined : withTagsInOrder(request.xml)
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
  const problems = Object.entries({ status, answer: headers, xml, disk }).filter(
    ([name, expected]) => !same(expected, got[name as keyof typeof got]),
  )
  if (problems.length === 0) return undefined
  return {
    got: Object.fromEntries(problems.map(([name]) => [name, got[name as keyof typeof got]])),
  }
}

function send(at: Fixture, request: RecordedRequest): Promise<RawResponse> {
  const { as, method, target, headers = {}, body, md5 = false } = request
  const digest = createHash('md5')
    .update(body ?? '')
    .digest('base64')
  return at.send(method, target, {
    headers: { ...headers, ...(md5 && { 'Content-MD5': digest }) },
    ...(body !== undefined && { body }),
    ...(as === 'anonymous' ? { sign: false } : as !== undefined && { credentials: IAM[as] }),
  })
}

const SHOWN =
  /^(?:content-type|location|x-amz-(?!checksum|object-size|storage-class|request-id|id-2))/

function shownHeaders({ headers }: RawResponse): Record<string, string> {
  const shown = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => SHOWN.test(name))
  return Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function shownXml(text: string): string {
  const shown = text
    .slice(text.indexOf('\n') + 1)
    .replace(/<RequestId>.*<\/HostId>/, '')
    .replace(/<UploadId>[^<]*/, '<UploadId>*')
    .replace(/<LastModified>[^<]*/, '<LastModified>*')
  return withTagsInOrder(shown)
}

/** VersityGW tells them in an order that changes. */
function withTagsInOrder(xml: string): string {
  const tags = xml.match(/<Tag>.*?<\/Tag>/g) ?? []
  return tags.length < 2 ? xml : xml.replace(tags.join(''), tags.toSorted().join(''))
}

const HIDDEN = new Set(['etag', 'checksums', 'content-type'])

function stored(at: Fixture, target: string, answer: RawResponse): Record<string, string> {
  const [path = '', query = ''] = target.slice(1).split('?')
  const [bucket = '', key = ''] = path.split(/\/(.*)/)
  const upload = /<UploadId>([^<]+)/.exec(answer.text)?.[1] ?? ''
  const hash = createHash('sha256').update(key).digest('hex')
  const place =
    query === 'uploads' ? at.path(bucket, `.sgwtmp/multipart/${hash}/${upload}`) : at.path(path)
  const attributes = Object.entries(attributesOf(place)).filter(([name]) => !HIDDEN.has(name))
  return Object.fromEntries(
    attributes
      .map(([name, value]) => [name, shownValue(value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

function shownValue(value: string): string {
  if (value.length === 1 && value < ' ') return `hex:${Buffer.from(value).toString('hex')}`
  return value.replace(/"CreatedAt":"[^"]+"/, '"CreatedAt":"*"')
}
