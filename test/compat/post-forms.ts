import type { PostForm } from '../support/post-form.ts'
import { POLICY_FORMS, withField } from './post-policy-forms.ts'

/** A form as it was sent to VersityGW: signed by root unless told otherwise, to the bucket `bkt`, which bob may write to. */
export interface FormCase extends PostForm {
  readonly name: string
  readonly as?: 'root' | 'alice' | 'bob' | 'anonymous'
  readonly bucket?: string
  readonly body?: string
  readonly type?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: string
}

const B = { bucket: 'bkt' }
const raw = (name: string, body: string, type?: string): FormCase => ({
  name: `framing: ${name}`,
  as: 'anonymous',
  bucket: 'public',
  body,
  type: type ?? 'multipart/form-data; boundary=b',
})
const part = (name: string, value: string, more = ''): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n${more}\r\n${value}\r\n`
const FILE = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhello\r\n'
const KEY = part('key', 'k')

export const FORMS: readonly FormCase[] = [
  { name: 'a plain upload' },
  { name: 'a file of no bytes', file: '' },
  { name: 'a key with a slash', fields: [['key', 'post/a b+é']] },
  { name: 'the variable of a file name is none', fields: [['key', 'u/${filename}']] },
  { name: 'an empty key', fields: [['key', '']] },
  { name: 'no key', fields: [], policy: { conditions: [B] } },
  { name: 'a key that climbs out', fields: [['key', '../x']] },
  { name: 'a key with dots', fields: [['key', 'a/../c']] },
  { name: 'a directory with bytes', fields: [['key', 'dir/']] },
  { name: 'a directory without bytes', fields: [['key', 'dir/']], file: '' },
  { name: 'a long key', fields: [['key', 'x'.repeat(1025)]] },
  { name: 'no file', file: null },
  { name: 'no file, nor key', file: null, fields: [], policy: { conditions: [B] } },
  {
    name: 'fields after the file are ignored',
    after: [
      ['success_action_status', '201'],
      ['bogus', 'x'],
    ],
  },
  { name: 'a second file', after: [['file', 'other']] },
  { name: 'signature after the other fields', signatureLast: true },
  {
    name: 'names in capitals',
    fields: [['KEY', 'caps']],
    policy: { conditions: [B, ['eq', '$key', 'caps']] },
  },
  {
    name: 'a key twice',
    fields: [
      ['key', 'one'],
      ['key', 'two'],
    ],
    policy: { conditions: [B, ['starts-with', '$key', '']] },
  },
  { name: 'a missing bucket', bucket: 'no-such-bucket' },
  { name: 'a bad bucket name', bucket: 'AB' },
  { name: 'by a stranger', as: 'alice' },
  { name: 'by whom the policy lets put below the bucket', as: 'bob' },
  { name: 'by whom the policy lets put elsewhere', as: 'bob', fields: [['key', 'other/k']] },
  { name: 'anonymous to a private bucket', as: 'anonymous' },
  { name: 'anonymous to a public bucket', as: 'anonymous', bucket: 'public' },
  { name: 'anonymous to a missing bucket', as: 'anonymous', bucket: 'no-such-bucket' },
  { name: 'anonymous without a file', as: 'anonymous', bucket: 'public', file: null },
  { name: 'anonymous without a key', as: 'anonymous', bucket: 'public', fields: [] },
  {
    name: 'anonymous with unknown fields',
    as: 'anonymous',
    bucket: 'public',
    ...withField('bogus', 'x'),
  },
  {
    name: 'anonymous with status 201',
    as: 'anonymous',
    bucket: 'public',
    ...withField('success_action_status', '201'),
  },
  { name: 'private without a key', as: 'anonymous', fields: [] },
  { name: 'stranger without a file', as: 'alice', file: null },
  { name: 'stranger with bad tags', as: 'alice', ...withField('tagging', '<x') },
  // What is done with the answer
  ...['200', '201', '204', '202', 'abc', '', ' 201'].map((status) => ({
    name: `status ${JSON.stringify(status)}`,
    ...withField('success_action_status', status),
  })),
  {
    name: 'status 201 with an odd key',
    fields: [
      ['key', 'a&<b é'],
      ['success_action_status', '201'],
    ],
  },
  ...[
    'http://h.example/done',
    'http://h.example/done?a=1',
    'http://h.example/d#frag',
    '/relative',
    'not a url',
    '',
    'javascript:alert(1)',
    'http://%zz/',
    'https://h.example/?b=%20&key=x',
    '//h.example/x',
    'ftp://h.example/',
  ].map((target) => ({
    name: `redirect ${JSON.stringify(target)}`,
    ...withField('success_action_redirect', target),
  })),
  {
    name: 'redirect and status',
    fields: [
      ['key', 'k'],
      ['success_action_redirect', 'http://h.example/d'],
      ['success_action_status', '201'],
    ],
  },
  {
    name: 'redirect with an odd key',
    fields: [
      ['key', 'a b&é'],
      ['success_action_redirect', 'http://h.example/d'],
    ],
  },
  { name: 'the old name of redirect', ...withField('redirect', 'http://h.example/d') },
  // Fields that are kept
  ...(
    [
      ['content-type', 'text/x-form'],
      ['content-type', ''],
      ['cache-control', 'no-store'],
      ['content-disposition', 'attachment'],
      ['content-encoding', 'gzip'],
      ['content-encoding', 'aws-chunked'],
      ['content-language', 'de'],
      ['expires', 'Thu, 01 Jan 2099 00:00:00 GMT'],
      ['expires', 'soon'],
      ['x-amz-website-redirect-location', '/there'],
      ['x-amz-website-redirect-location', 'there'],
      ['x-amz-meta-color', 'red é'],
      ['x-amz-meta-Big', 'x'.repeat(2049)],
      ['x-amz-meta-', 'x'],
      ['x-amz-storage-class', 'GLACIER'],
      ['acl', 'public-read'],
      ['acl', 'bogus'],
      ['x-amz-acl', 'public-read'],
      ['x-amz-object-lock-mode', 'GOVERNANCE'],
      ['x-amz-server-side-encryption', 'AES256'],
      ['content-md5', 'AAAA'],
      ['content-md5', '1B2M2Y8AsgTpgAmY7PhCfg=='],
      ['if-none-match', '*'],
      ['x-amz-tagging', 'a=1'],
      ['x-amz-security-token', 'x'],
      ['x-ignore-this', 'x'],
      ['bogus', 'x'],
      ['bucket', 'bkt'],
      ['bucket', 'other'],
      ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD'],
      ['awsaccesskeyid', 'x'],
      ['signature', 'x'],
      ['tagging', '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>'],
      ['tagging', '<Tagging><TagSet/></Tagging>'],
      ['tagging', ''],
      ['tagging', '<x'],
      ['tagging', '<Other/>'],
      ['tagging', 'a=1'],
      ['tagging', '<Tagging><TagSet><Tag><Key></Key><Value>1</Value></Tag></TagSet></Tagging>'],
      [
        'tagging',
        `<Tagging><TagSet>${'<Tag><Key>K</Key><Value>1</Value></Tag>'.repeat(2)}</TagSet></Tagging>`,
      ],
      [
        'tagging',
        `<Tagging><TagSet>${Array.from({ length: 11 }, (_, i) => `<Tag><Key>k${i}</Key><Value>1</Value></Tag>`).join('')}</TagSet></Tagging>`,
      ],
      ['x-amz-checksum-crc32', 'NhCmhg=='],
      ['x-amz-checksum-crc32', 'AAAAAA=='],
      ['x-amz-checksum-crc32', 'bad'],
      ['x-amz-checksum-crc32', ''],
      ['x-amz-checksum-crc32c', 'mnG7TA=='],
      ['x-amz-checksum-sha1', 'qvTGHdzF6KLavt4PO0gs2a6pQ00='],
      ['x-amz-checksum-sha256', 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ='],
      ['x-amz-checksum-sha256', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
      ['x-amz-checksum-crc64nvme', 'AAAAAAAAAAA='],
      ['x-amz-checksum-bogus', 'AAAA'],
      ['x-amz-checksum-algorithm', 'CRC32'],
      ['x-amz-checksum-algorithm', 'SHA256'],
      ['x-amz-checksum-algorithm', 'bogus'],
      ['x-amz-checksum-type', 'FULL_OBJECT'],
      ['x-amz-sdk-checksum-algorithm', 'CRC32'],
      ['x-amz-sdk-checksum-algorithm', 'bogus'],
    ] as const
  ).map(([name, value]) => ({
    name: `field ${name}=${JSON.stringify(value.slice(0, 60))}${value.length}`,
    ...withField(name, value),
  })),
  {
    name: 'two checksums',
    fields: [
      ['key', 'k'],
      ['x-amz-checksum-crc32', 'NhCmhg=='],
      ['x-amz-checksum-sha1', 'qvTGHdzF6KLavt4PO0gs2a6pQ00='],
    ],
  },
  {
    name: 'algorithm and its checksum',
    fields: [
      ['key', 'k'],
      ['x-amz-checksum-algorithm', 'CRC32'],
      ['x-amz-checksum-crc32', 'NhCmhg=='],
    ],
  },
  {
    name: 'sdk algorithm and its checksum',
    fields: [
      ['key', 'k'],
      ['x-amz-sdk-checksum-algorithm', 'CRC32'],
      ['x-amz-checksum-crc32', 'NhCmhg=='],
    ],
  },
  {
    name: 'algorithm and another checksum',
    fields: [
      ['key', 'k'],
      ['x-amz-checksum-algorithm', 'SHA1'],
      ['x-amz-checksum-crc32', 'NhCmhg=='],
    ],
  },
  { name: 'content type of the file part', fileType: 'image/x-odd' },
  {
    name: 'content type of both',
    fileType: 'image/x-odd',
    ...withField('content-type', 'text/x-form'),
  },
  // The signature
  ...['policy', 'x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature'].flatMap(
    (name) => [
      { name: `without ${name}`, signature: { [name]: null } },
      { name: `with an empty ${name}`, signature: { [name]: '' } },
    ],
  ),
  {
    name: 'only a policy',
    signature: {
      'x-amz-algorithm': null,
      'x-amz-credential': null,
      'x-amz-date': null,
      'x-amz-signature': null,
    },
  },
  {
    name: 'only a policy, public',
    bucket: 'public',
    signature: {
      'x-amz-algorithm': null,
      'x-amz-credential': null,
      'x-amz-date': null,
      'x-amz-signature': null,
    },
  },
  { name: 'a wrong signature', signature: { 'x-amz-signature': '0'.repeat(64) } },
  { name: 'a short signature', signature: { 'x-amz-signature': 'abc' } },
  { name: 'another algorithm', signature: { 'x-amz-algorithm': 'AWS4-HMAC-SHA512' } },
  { name: 'ECDSA', signature: { 'x-amz-algorithm': 'AWS4-ECDSA-P256-SHA256' } },
  { name: 'a date of another form', signature: { 'x-amz-date': '2026-11-21T00:00:00Z' } },
  { name: 'a date long ago', signature: { 'x-amz-date': '20200101T000000Z' } },
  { name: 'a date to come', signature: { 'x-amz-date': '20900101T000000Z' } },
  {
    name: 'a credential of another day',
    signature: { 'x-amz-credential': 'ROOT/20200101/us-east-1/s3/aws4_request' },
  },
  {
    name: 'a credential of another region',
    signature: { 'x-amz-credential': 'ROOT/DAY/eu-west-1/s3/aws4_request' },
  },
  {
    name: 'a credential of another service',
    signature: { 'x-amz-credential': 'ROOT/DAY/us-east-1/ec2/aws4_request' },
  },
  {
    name: 'a credential of another end',
    signature: { 'x-amz-credential': 'ROOT/DAY/us-east-1/s3/aws4' },
  },
  {
    name: 'a credential of no day',
    signature: { 'x-amz-credential': 'ROOT/2020/us-east-1/s3/aws4_request' },
  },
  { name: 'a credential of nothing', signature: { 'x-amz-credential': 'ROOT' } },
  {
    name: 'a credential of nobody',
    signature: { 'x-amz-credential': 'NOBODY/DAY/us-east-1/s3/aws4_request' },
  },
  {
    name: 'a wrong signature with a bad policy',
    policy: '{',
    signature: { 'x-amz-signature': '0'.repeat(64) },
  },
  {
    name: 'a wrong signature without a key',
    fields: [],
    policy: { conditions: [B] },
    signature: { 'x-amz-signature': '0'.repeat(64) },
  },
  {
    name: 'a wrong signature without a file',
    file: null,
    signature: { 'x-amz-signature': '0'.repeat(64) },
  },
  {
    name: 'a wrong signature for a missing bucket',
    bucket: 'no-such-bucket',
    signature: { 'x-amz-signature': '0'.repeat(64) },
  },
  {
    name: 'signature fields after the file',
    as: 'anonymous',
    after: [
      ['policy', 'x'],
      ['x-amz-signature', 'y'],
    ],
  },
  ...POLICY_FORMS,
  // Framing
  { name: 'not multipart', type: 'application/x-www-form-urlencoded', body: 'key=k' },
  { name: 'no content type', type: null },
  { name: 'multipart of another kind', type: 'multipart/mixed; boundary=b' },
  { name: 'type in capitals', type: 'Multipart/Form-Data; boundary=----form7MA4YWxkTrZu0gW' },
  { name: 'boundary in quotes', type: 'multipart/form-data; boundary="----form7MA4YWxkTrZu0gW"' },
  {
    name: 'boundary with a charset',
    type: 'multipart/form-data; charset=utf-8; boundary=----form7MA4YWxkTrZu0gW',
  },
  { name: 'not multipart, missing bucket', type: 'text/plain', bucket: 'no-such-bucket' },
  raw('no boundary', `${KEY}${FILE}--b--`, 'multipart/form-data'),
  raw('empty boundary', `${KEY}${FILE}--b--`, 'multipart/form-data; boundary='),
  raw('another boundary', `${KEY}${FILE}--b--`, 'multipart/form-data; boundary=c'),
  raw('empty body', ''),
  raw('only the end', '--b--\r\n'),
  raw('no end', `${KEY}${FILE}`),
  raw('end without line end', `${KEY}${FILE}--b--`),
  raw(
    'cut within the file',
    `${KEY}--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhel`,
  ),
  raw('cut within a field', `--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk`),
  raw('preamble', `hello\r\n${KEY}${FILE}--b--\r\n`),
  raw('epilogue', `${KEY}${FILE}--b--\r\nmore`),
  raw('line feeds alone', `${KEY}${FILE}--b--\r\n`.replaceAll('\r', '')),
  raw(
    'a part without a name',
    `--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n${KEY}${FILE}--b--\r\n`,
  ),
  raw('a part without a head', `--b\r\n\r\nx\r\n${KEY}${FILE}--b--\r\n`),
  raw('a part with an empty name', `${part('', 'x')}${KEY}${FILE}--b--\r\n`),
  raw(
    'another disposition',
    `--b\r\nContent-Disposition: attachment; name="key"\r\n\r\nk\r\n${FILE}--b--\r\n`,
  ),
  raw(
    'a name without quotes',
    `--b\r\nContent-Disposition: form-data; name=key\r\n\r\nk\r\n${FILE}--b--\r\n`,
  ),
  raw(
    'a header without colon',
    `--b\r\nContent-Disposition form-data\r\n\r\nk\r\n${KEY}${FILE}--b--\r\n`,
  ),
  raw(
    'a field with a content type',
    `${part('key', 'k', 'Content-Type: text/plain\r\n')}${FILE}--b--\r\n`,
  ),
  raw(
    'a field with a file name',
    `--b\r\nContent-Disposition: form-data; name="key"; filename="x"\r\n\r\nk\r\n${FILE}--b--\r\n`,
  ),
  raw('a file without a file name', `${KEY}${part('file', 'hello')}--b--\r\n`),
  raw('a file before the key', `${FILE}${KEY}--b--\r\n`),
  raw('blanks behind the boundary', `${KEY}${FILE}--b--\r\n`.replaceAll('--b\r\n', '--b  \r\n')),
  raw('garbage behind the boundary', `${KEY}${FILE}--b--\r\n`.replaceAll('--b\r\n', '--bx\r\n')),
  raw('the boundary within the file', `${KEY}${FILE.replace('hello', 'a\r\n--bc\r\n--')}--b--\r\n`),
  raw('File in capitals', `${KEY}${FILE.replace('"file"', '"File"')}--b--\r\n`),
  raw('a field that is large', `${part('x-ignore-a', 'x'.repeat(70_000))}${KEY}${FILE}--b--\r\n`),
  raw('fields that are many', `${part('x-ignore-a', 'x').repeat(1200)}${KEY}${FILE}--b--\r\n`),
  { name: 'with a query', query: '?foo' },
  {
    name: 'with an Authorization header',
    headers: { Authorization: 'AWS4-HMAC-SHA256 Credential=x' },
    as: 'anonymous',
    bucket: 'public',
  },
  { name: 'with a malformed Authorization header', headers: { Authorization: 'x' } },
]
