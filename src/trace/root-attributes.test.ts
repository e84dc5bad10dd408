import { describe, expect, test } from 'vitest'
import { Recorder } from './recorder.ts'
import {
  redactQuery,
  redactUserAgent,
  requestAttributes,
  responseAttributes,
  type RequestFacts,
} from './root-attributes.ts'

const FACTS: RequestFacts = {
  method: 'GET',
  path: '/bucket/key',
  query: 'versionId=1&X-Amz-Signature=abc',
  clientAddress: '192.0.2.7',
  userAgent: 'aws-cli/2.x',
  serverHost: 's3.example.com:7070',
  serverPort: 7070,
  protocolVersion: '1.1',
}

const LEGACY = {
  'http.method': 'GET',
  'http.url': '/bucket/key',
  'http.client_ip': '192.0.2.7',
  'http.user_agent': 'aws-cli/2.x',
  'http.status_code': 200,
}

const STABLE = {
  'http.request.method': 'GET',
  'url.path': '/bucket/key',
  'url.query': 'versionId=1&X-Amz-Signature=REDACTED',
  'client.address': '192.0.2.7',
  'user_agent.original': 'aws-cli/2.x',
  'server.address': 's3.example.com',
  'server.port': 7070,
  'network.protocol.version': '1.1',
  'http.response.status_code': 200,
}

describe('HTTP attributes of the root span (trace contract, 3.1)', () => {
  test.each([
    ['dup', { ...LEGACY, ...STABLE }],
    ['stable', STABLE],
    ['legacy', LEGACY],
  ] as const)('%s', (semconv, expected) => {
    const { root } = new Recorder(true, undefined)
    requestAttributes(root, semconv, FACTS)
    responseAttributes(root, semconv, 200)
    expect(root.attributes).toEqual(expected)
  })

  test('what is not known is left out', () => {
    const { root } = new Recorder(true, undefined)
    const unknown = {
      query: '',
      clientAddress: undefined,
      userAgent: undefined,
      serverHost: undefined,
      serverPort: undefined,
    }
    requestAttributes(root, 'stable', { ...FACTS, ...unknown })
    expect(Object.keys(root.attributes)).toEqual([
      'http.request.method',
      'url.path',
      'network.protocol.version',
    ])
  })

  test.each([
    ['localhost', 'localhost'],
    ['localhost:7070', 'localhost'],
    ['[::1]:7070', '::1'],
    ['[::1]', '::1'],
  ])('server.address of %s', (serverHost, expected) => {
    const { root } = new Recorder(true, undefined)
    requestAttributes(root, 'stable', { ...FACTS, serverHost })
    expect(root.attributes['server.address']).toBe(expected)
  })
})

describe('query strings pass an allow-list (trace contract, section 4)', () => {
  test.each([
    ['', ''],
    ['uploads', 'uploads'],
    ['uploads=', 'uploads='],
    ['list-type=2&prefix=a%2Fb&max-keys=10', 'list-type=2&prefix=a%2Fb&max-keys=10'],
    ['partNumber=1&uploadId=x', 'partNumber=1&uploadId=x'],
    [
      'X-Amz-Credential=AKIA%2F1&X-Amz-Signature=f00',
      'X-Amz-Credential=REDACTED&X-Amz-Signature=REDACTED',
    ],
    ['x-amz-security-token=t', 'x-amz-security-token=REDACTED'],
    ['X-Amz-Signatur%65=f00', 'X-Amz-Signatur%65=REDACTED'],
    ['response-content-type=text%2Fplain', 'response-content-type=REDACTED'],
    ['Prefix=a', 'Prefix=REDACTED'],
    ['pref%69x=a', 'pref%69x=a'],
    ['%zz=a', '%zz=REDACTED'],
    ['=a', '=REDACTED'],
    ['secret', 'REDACTED'],
    ['acl&secret=a=b&&', 'acl&secret=REDACTED&&'],
    // A key pasted as it is, with the padding of base64.
    ['c2VjcmV0c2VjcmV0cw==', 'REDACTED'],
    ['c2VjcmV0c2VjcmV0cw=', 'REDACTED'],
    [`${'k'.repeat(41)}=v`, 'REDACTED'],
  ])('%j', (query, expected) => {
    expect(redactQuery(query)).toBe(expected)
  })
})

test('a query whose parameters are known to be those of a presigned URL is told by their names alone', () => {
  const names = ['Algorithm', 'Credential', 'Date', 'Expires', 'SignedHeaders', 'Signature']
  const presigned = names.map((name) => [`X-Amz-${name}`, 'secret'] as const)
  const textOf = (pairs: typeof presigned): string => pairs.map((pair) => pair.join('=')).join('&')
  const shown = names.map((name) => `X-Amz-${name}=REDACTED`).join('&')
  expect(redactQuery(textOf(presigned), new Map(presigned))).toBe(shown)
  expect(redactQuery(textOf(presigned))).toBe(shown)
  const more = [...presigned, ['prefix', 'a'], ['other', 'secret']] as typeof presigned
  expect(redactQuery(textOf(more), new Map(more))).toBe(`${shown}&prefix=a&other=REDACTED`)
  const other = [...presigned.slice(1), ['c2VjcmV0', '']] as typeof presigned
  expect(redactQuery(textOf(other), new Map(other))).not.toContain('c2VjcmV0')
})

describe('a user agent is shown without what may be a key', () => {
  test.each([
    ['aws-cli/2.x', 'aws-cli/2.x'],
    [
      'aws-sdk-java/2.20.68 Linux/5.10.184-175.731.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/11.0.19+7-LTS Java/11.0.19',
      'aws-sdk-java/2.20.68 Linux/5.10.184-175.731.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/11.0.19+7-LTS Java/11.0.19',
    ],
    [
      'Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.2 md/pyimpl#CPython cfg/retry-mode#legacy',
      'Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.2 md/pyimpl#CPython cfg/retry-mode#legacy',
    ],
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0',
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0',
    ],
    ['tool/1 (token=abc; x)', 'tool/1 (token=REDACTED; x)'],
    ['tool/1 wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY end', 'tool/1 REDACTED end'],
  ])('%s', (userAgent, expected) => {
    expect(redactUserAgent(userAgent)).toBe(expected)
  })
})
