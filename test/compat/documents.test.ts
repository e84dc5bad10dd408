import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
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
import { attributesOf } from '../support/tree.ts'

/**
 * The documents hung on buckets and objects, as VersityGW answers and stores them: a recording of good and bad requests, in
 * the order in which they were sent, for a gateway without versioning, one with a versioning directory, and one without ACLs.
 */
interface Recording {
  readonly flags: readonly string[]
  readonly posixFlags: readonly string[]
  /** `disk`: attributes of what the request is about, but those that every object has. */
  readonly steps: readonly RecordedStep<RecordedRequest>[]
}

const recordings = JSON.parse(
  readFileSync(new URL('documents.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Recording>>

/** `6.3` and the like are clauses of the contract. */
const DIFFERENCES: readonly Difference<RecordedRequest>[] = [
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

describe.each(Object.entries(recordings))('%s', (_, { flags, posixFlags, steps }) => {
  const at = useReplayGateway(flags, posixFlags)

  test('every answer, and what is stored, is VersityGW’s', () =>
    replay(at, steps, DIFFERENCES, (request, answer) => ({
      expected: {
        answer: request.answer ?? {},
        xml: request.xml === undefined ? undefined : withTagsInOrder(request.xml),
        disk: request.disk,
      },
      got: {
        answer: shownHeaders(answer),
        xml: answer.text.startsWith('<?xml') ? shownXml(answer.text) : undefined,
        disk:
          request.disk === undefined || answer.status >= 300
            ? undefined
            : stored(at, request.target, answer),
      },
    })))
})

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
