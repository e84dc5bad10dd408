import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { checksum, md5Base64 } from '../support/checksums.ts'
import { useGateway } from '../support/fixture.ts'
import { cpuSeconds, residentMiB } from '../support/process-facts.ts'
import { openConnection } from '../support/raw-http.ts'
import { setAttribute, strayFiles } from '../support/tree.ts'

const at = useGateway()
let bucket = ''

beforeEach(async () => {
  bucket = await at.bucket()
  await at.send('PUT', `/${bucket}/k`, { body: 'old' })
})

/** What comes back for these bytes until the gateway ends the connection: the status lines. */
async function statuses(bytes: Buffer | string): Promise<number[]> {
  const connection = await openConnection(at.gateway.port)
  connection.write(bytes)
  const found: number[] = []
  try {
    for (;;) found.push((await connection.response({ timeoutMs: 3000 })).status)
  } catch {
    // No more answers: the connection has ended, or nothing comes.
  }
  const ended = await connection.ended(100)
  connection.close()
  return ended ? found : [...found, 0]
}

describe('A12: sums that contradict the body or each other', () => {
  test.each([
    [
      'two algorithms',
      {
        'x-amz-checksum-crc32': checksum('CRC32', 'new'),
        'x-amz-checksum-sha256': checksum('SHA256', 'new'),
      },
      {},
    ],
    [
      'named otherwise than sent',
      { 'x-amz-sdk-checksum-algorithm': 'SHA1', 'x-amz-checksum-crc32': checksum('CRC32', 'new') },
      {},
    ],
    ['empty', { 'x-amz-checksum-crc32': '' }, {}],
    ['of another body', { 'x-amz-checksum-crc64nvme': checksum('CRC64NVME', 'old') }, {}],
    ['Content-MD5 of another body', { 'Content-MD5': md5Base64('old') }, {}],
    ['Content-MD5 too short', { 'Content-MD5': 'abcd' }, {}],
    ['sha256 of another body', {}, { payloadHash: 'c'.repeat(64) }],
    ['sha256 that is none', {}, { payloadHash: 'c'.repeat(63) }],
    ['an empty sha256', {}, { payloadHash: '' }],
  ])('%s', async (_, headers, more) => {
    const { status } = await at.send('PUT', `/${bucket}/k`, { body: 'new', headers, ...more })
    expect(status).toBe(400)
    expect(strayFiles(at.path(bucket))).toEqual(['k'])
    expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe('old')
  })
})

describe('A19: request smuggling', () => {
  const smuggled = (): string => `GET /${bucket}/k HTTP/1.1\r\nHost: x\r\n\r\n`
  const signed = (
    headers: Record<string, string>,
    change: (head: string) => string = (head) => head,
  ): string => {
    const head = at
      .head('PUT', `/${bucket}/k`, { headers, payloadHash: 'UNSIGNED-PAYLOAD', omitLength: true })
      .toString('latin1')
    return change(head)
  }

  test.each([
    ['both lengths', { 'Content-Length': '3', 'Transfer-Encoding': 'chunked' }],
    ['a second coding', { 'Transfer-Encoding': 'xchunked' }],
    ['chunked that is not last', { 'Transfer-Encoding': 'chunked, identity' }],
    ['a hexadecimal length', { 'Content-Length': '0x3' }],
    ['a signed length', { 'Content-Length': '+3' }],
    ['a negative length', { 'Content-Length': '-3' }],
    ['an underscored length', { 'Content-Length': '1_0' }],
    ['a list of lengths', { 'Content-Length': '3, 3' }],
    ['an enormous length', { 'Content-Length': '99999999999999999999999' }],
  ])('%s: one refusal, then the end', async (_, headers) => {
    const found = await statuses(`${signed(headers)}new${smuggled()}`)
    expect(found).toHaveLength(1)
    expect([400, 411, 501]).toContain(found[0])
    expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe('old')
  })

  test.each([
    [
      'two lengths',
      (head: string) => head.replace('\r\n', '\r\nContent-Length: 3\r\nContent-Length: 4\r\n'),
    ],
    [
      'a space before the colon',
      (head: string) => head.replace('\r\n', '\r\nContent-Length : 3\r\n'),
    ],
    [
      'a folded header',
      (head: string) => head.replace('\r\n', '\r\nX-Folded: a\r\n Content-Length: 3\r\n'),
    ],
    ['a bare line feed', (head: string) => head.replace('\r\n', '\nContent-Length: 3\n')],
    [
      'a bare carriage return',
      (head: string) => head.replace('\r\n', '\r\nX-A: b\rContent-Length: 3\r\n'),
    ],
    ['a NUL in a header', (head: string) => head.replace('\r\n', '\r\nX-A: b\0c\r\n')],
    ['a control character in a name', (head: string) => head.replace('\r\n', '\r\nX-\x01A: b\r\n')],
  ])('%s: refused, and the connection ends', async (_, change) => {
    const found = await statuses(`${signed({}, change)}new${smuggled()}`)
    expect(found).toEqual([400])
    expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe('old')
  })

  test('an upgrade with a body is a request like any other', async () => {
    const found = await statuses(
      `${signed({ 'Content-Length': '3', Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings' })}new`,
    )
    expect(found.filter((status) => status !== 0)).toHaveLength(1)
    expect([200, 400]).toContain(found[0])
  })

  test('after a refused upload its body is never read as a request', async () => {
    const body = smuggled().repeat(3)
    const head = at.head('PUT', `/${bucket}/k`, {
      body,
      credentials: { access: at.credentials.access, secret: 'wrong' },
    })
    const connection = await openConnection(at.gateway.port)
    connection.write(Buffer.concat([head, Buffer.from(body), at.head('GET', `/${bucket}/k`)]))
    expect((await connection.response()).status).toBe(403)
    // Either the connection ends, or the next answer is that of the next request.
    const next = await connection.response({ timeoutMs: 3000 }).catch(() => undefined)
    if (next !== undefined) expect([next.status, next.text]).toEqual([200, 'old'])
    connection.close()
  })
})

describe('A20: characters that end a line, and heads without end', () => {
  test('response-* overrides cannot add headers', async () => {
    for (const value of [
      'a%0d%0aX-Injected:%201',
      'a%0aX-Injected:1',
      'a%00b',
      'a%0d',
      'ü%e2%80%a8',
    ]) {
      for (const name of [
        'response-content-type',
        'response-content-disposition',
        'response-cache-control',
      ]) {
        const { status, headers } = await at.send('GET', `/${bucket}/k?${name}=${value}`)
        expect([name, value, status === 200 || status === 400]).toEqual([name, value, true])
        expect(headers.map(([header]) => header.toLowerCase())).not.toContain('x-injected')
      }
    }
  })

  test('nothing that is stored with an object can add headers', async () => {
    const bad = [
      'a\r\nX-Injected: 1',
      'a\nX-Injected: 1',
      'a\r',
      'a\0b',
      'a\x7f',
      'ü\u2028\u010d\u010aX',
    ]
    const json = (value: string): string => JSON.stringify(value)
    const texts =
      'content-type content-encoding content-language content-disposition cache-control expires ' +
      'website-redirect-location etag version-id X-Amz-Meta.a'
    const places: (readonly [name: string, write: (value: string) => string])[] = [
      ...texts.split(' ').map((name) => [name, (value: string) => value] as const),
      ['metadata', (value) => `{"a":${json(value)}}`],
      ['metadata', (value) => `{${json(value)}:"a"}`],
      ['checksums', (value) => `{"CRC32":${json(value)},"Type":${json(value)}}`],
      ['object-retention', (value) => `{"Mode":${json(value)},"RetainUntilDate":${json(value)}}`],
    ]
    for (const [name, write, value] of places.flatMap((place) =>
      bad.map((text) => [...place, text] as const),
    )) {
      await at.send('PUT', `/${bucket}/stored`, { body: 'x' })
      setAttribute(at.path(bucket, 'stored'), name, write(value))
      for (const method of ['GET', 'HEAD']) {
        const headers = { 'x-amz-checksum-mode': 'ENABLED' }
        const answer = await at.send(method, `/${bucket}/stored`, { headers })
        const names = answer.headers.map(([header]) => header.toLowerCase())
        expect([name, value, answer.status < 600]).toEqual([name, value, true])
        expect(names.filter((header) => !/^[a-z0-9-]+$/.test(header))).toEqual([])
        expect(names).not.toContain('x-injected')
        if (method === 'GET' && answer.status === 200) expect(answer.text).toBe('x')
      }
    }
  })

  test('keys and values stand escaped in every document', async () => {
    const key = encodeURIComponent('</Key><Injected>&amp;"\u0001')
    await at.send('PUT', `/${bucket}/${key}`, { body: 'x' })
    const listed = await at.send('GET', `/${bucket}?list-type=2`)
    const missing = await at.send('GET', `/${bucket}/${encodeURIComponent('no<such>&key')}`)
    const argument = await at.send(
      'GET',
      `/${bucket}?max-keys=${encodeURIComponent('</Message><Injected>')}`,
    )
    const upload = await at.send('GET', `/${bucket}/k?uploadId=${encodeURIComponent('<Injected>')}`)
    const name = await at.send('GET', `/${encodeURIComponent('<Injected>')}`)
    for (const { text } of [listed, missing, argument, upload, name]) {
      expect(text).not.toContain('<Injected>')
      // eslint-disable-next-line no-control-regex
      expect(text).not.toMatch(/[\u0000-\u0008]/)
    }
  })

  test('ten thousand parameters, a thousand headers', async () => {
    const many = Array.from({ length: 600 }, (_, i) => `p${i}=1`).join('&')
    const query = await at.send('GET', `/${bucket}?${many}`)
    expect([200, 400, 414, 431]).toContain(query.status)
    const headers = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x-h${i}`, '1']))
    const heads = await at.send('GET', `/${bucket}`, { headers })
    expect([400, 431]).toContain(heads.status)
    expect((await at.send('GET', `/${bucket}/k`)).text).toBe('old')
  })
})

describe('A21: documents made to hurt', () => {
  const post = (target: string, body: string | Buffer) =>
    at.send('POST', target, { body, headers: { 'Content-MD5': md5Base64(body) } })
  const bomb = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${'bcdefghi'
    .split('')
    .map((c, i) => `<!ENTITY ${c} "${`&${String.fromCharCode(97 + i)};`.repeat(10)}">`)
    .join('')}]><Delete><Object><Key>&i;</Key></Object></Delete>`
  const cases: [name: string, document: string | Buffer][] = [
    ['entities that multiply', bomb],
    [
      'an external entity',
      '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>',
    ],
    [
      'an external document type',
      '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><Delete><Object><Key>k</Key></Object></Delete>',
    ],
    [
      'a hundred thousand levels',
      `<Delete>${'<a>'.repeat(100_000)}${'</a>'.repeat(100_000)}</Delete>`,
    ],
    ['UTF-16', Buffer.from('\ufeff<Delete><Object><Key>k</Key></Object></Delete>', 'utf16le')],
    ['another root', '<Tagging><Object><Key>k</Key></Object></Tagging>'],
    ['no end', '<Delete><Object><Key>k</Key></Object>'],
    ['no XML', randomBytes(10_000)],
    [
      'a million attributes',
      `<Delete ${Array.from({ length: 50_000 }, (_, i) => `a${i}="1"`).join(' ')}/>`,
    ],
  ]
  test.each(cases)('%s', async (_, document) => {
    const before = residentMiB(at.gateway.pid)
    const usedBefore = cpuSeconds(at.gateway.pid)
    const { status, text } = await post(`/${bucket}?delete`, document)
    expect(status === 400 || (status === 200 && !text.includes('root:'))).toBe(true)
    expect(cpuSeconds(at.gateway.pid) - usedBefore).toBeLessThan(2)
    const complete = await at.send(
      'POST',
      `/${bucket}/k?uploadId=00000000-0000-4000-8000-000000000000`,
      { body: document },
    )
    expect([400, 404]).toContain(complete.status)
    expect(residentMiB(at.gateway.pid) - before).toBeLessThan(64)
    expect(readFileSync(at.path(bucket, 'k'), 'utf8')).toBe('old')
  })

  test('a document of a gibibyte is refused before it is read', async () => {
    const connection = await openConnection(at.gateway.port)
    connection.write(
      at.head('POST', `/${bucket}?delete`, {
        headers: { 'Content-Length': String(1024 ** 3), 'Content-MD5': md5Base64('x') },
        payloadHash: 'UNSIGNED-PAYLOAD',
      }),
    )
    const { status, code } = await connection.response()
    expect([status, code]).toEqual([400, 'MaxMessageLengthExceeded'])
    connection.close()
  })

  test('10,001 parts', async () => {
    const part = '<Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part>'
    const body = `<CompleteMultipartUpload>${part.repeat(10_001)}</CompleteMultipartUpload>`
    const { element } = await at.send('POST', `/${bucket}/mp?uploads`)
    const { status } = await at.send(
      'POST',
      `/${bucket}/mp?uploadId=${element('UploadId') ?? ''}`,
      { body },
    )
    expect(status).toBe(400)
  })
})

describe('A13, A17: who is asking', () => {
  test('headers that claim an address or an identity change nothing', async () => {
    const headers = {
      'X-Forwarded-For': '10.9.8.7',
      'X-Real-IP': '10.9.8.7',
      Forwarded: 'for=10.9.8.7',
      'X-Amz-User': 'root',
      'X-Remote-User': 'root',
    }
    const { status } = await at.send('GET', `/${bucket}/k`, { headers, sign: false })
    expect(status).toBe(403)
  })

  test.each(["' OR 1=1", '*', ')(uid=*', '$where', '../root', 'a'.repeat(3000), '%0d%0a', ''])(
    'the access key %j is nobody',
    async (access) => {
      const { status } = await at.send('GET', `/${bucket}/k`, {
        credentials: { access, secret: 'x' },
      })
      expect([400, 403, 404]).toContain(status)
      expect((await at.send('GET', `/${bucket}/k`)).status).toBe(200)
    },
  )
})
