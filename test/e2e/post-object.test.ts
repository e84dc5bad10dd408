import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { formBody, formType, type PostForm } from '../support/post-form.ts'
import { eventually } from '../support/process-facts.ts'
import { openConnection, type RawResponse } from '../support/raw-http.ts'
import type { Credentials } from '../support/sigv4.ts'

const account = (access: string) => ({
  access,
  secret: `${access}-secret-0`,
  role: 'user',
  userID: 0,
  groupID: 0,
  projectID: 0,
})
const alice = account('alice')

function iamDir(): string {
  const dir = mkdtempSync(join(scratch(), 'vgw-iam-'))
  const accessAccounts = { alice }
  writeFileSync(join(dir, 'users.json'), JSON.stringify({ accessAccounts }), { mode: 0o600 })
  return dir
}

const at = useGateway(() => ({ flags: ['--iam-dir', iamDir()] }))
let bucket = ''

beforeEach(async () => {
  bucket = await at.bucket()
})

/** Signed by root unless told otherwise; `null` signs nothing. */
function post(
  form: PostForm,
  credentials: Credentials | null = at.credentials,
): Promise<RawResponse> {
  return at.send('POST', `/${bucket}`, {
    sign: false,
    headers: { 'Content-Type': formType() },
    body: formBody(form, bucket, credentials ?? undefined),
  })
}

const grant = (
  action: string | string[],
  resource: string | string[],
  principal: unknown = 'alice',
) =>
  at.send('PUT', `/${bucket}?policy`, {
    body: JSON.stringify({
      Statement: [
        {
          Effect: 'Allow',
          Principal: principal,
          Action: action,
          Resource: [resource].flat().map((name) => `arn:aws:s3:::${name}`),
        },
      ],
    }),
  })

/** Nothing of a form that failed: neither an object nor a temporary file. */
function filesLeft(): string[] {
  const left = readdirSync(at.path(bucket), { recursive: true, withFileTypes: true })
  return left.filter((entry) => entry.isFile()).map(({ name }) => name)
}

function expectNothing(): void {
  expect(filesLeft()).toEqual([])
}

const TAGGING = '<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>'

describe('PostObject', () => {
  test.each([0, 1, 65_536, 262_144, 262_145, 3_000_001])(
    'stores a file of %i bytes as a PutObject of them',
    async (size) => {
      const file = randomBytes(size)
      const posted = await post({ file, fields: [['key', 'dir/k']] })
      expect([posted.status, posted.text]).toEqual([204, ''])
      const put = await at.send('PUT', `/${bucket}/other`, { body: file })
      expect(posted.header('etag')).toBe(put.header('etag'))
      expect(posted.header('x-amz-checksum-crc64nvme')).toBe(put.header('x-amz-checksum-crc64nvme'))
      expect(readFileSync(at.path(bucket, 'dir/k')).equals(file)).toBe(true)
    },
  )

  test('takes a form in HTTP chunks, of which no header tells the length, in small pieces', async () => {
    const file = randomBytes(700_000)
    const body = formBody({ file }, bucket, at.credentials)
    const connection = await openConnection(at.gateway.port)
    connection.write(
      `POST /${bucket} HTTP/1.1\r\nHost: ${at.host}\r\nContent-Type: ${formType()}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    for (let from = 0; from < body.length; from += 9973) {
      const piece = body.subarray(from, from + 9973)
      connection.write(`${piece.length.toString(16)}\r\n`)
      connection.write(piece)
      connection.write('\r\n')
    }
    connection.write('0\r\n\r\n')
    expect((await connection.response()).status).toBe(204)
    connection.close()
    expect(readFileSync(at.path(bucket, 'k')).equals(file)).toBe(true)
  })

  test('a connection that is cut within the file leaves nothing (contract 9.2, 1)', async () => {
    const body = formBody({ file: randomBytes(1_000_000) }, bucket, at.credentials)
    const connection = await openConnection(at.gateway.port)
    connection.write(
      `POST /${bucket} HTTP/1.1\r\nHost: ${at.host}\r\nContent-Type: ${formType()}\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    connection.write(body.subarray(0, 600_000))
    await new Promise((resolve) => setTimeout(resolve, 100))
    connection.socket.destroy()
    await eventually(() => filesLeft().length === 0)
    expectNothing()
  })

  test('a grant on bucket/* is as good as one on the bucket, for its keys (contract 9.2, 9)', async () => {
    await grant('s3:PutObject', `${bucket}/up/*`)
    expect((await post({ fields: [['key', 'other']] }, alice)).code).toBe('AccessDenied')
    expect((await post({ fields: [['key', 'up/../other']] }, alice)).code).toBe('AccessDenied')
    expectNothing()
    expect((await post({ fields: [['key', 'up/k']] }, alice)).status).toBe(204)
    await grant('s3:PutObject', [bucket, `${bucket}/none/*`])
    expect((await post({ fields: [['key', 'other']] }, alice)).status).toBe(204)
  })

  test('tags ask for a right of their own', async () => {
    const fields = [
      ['key', 'k'],
      ['tagging', TAGGING],
    ] as const
    await grant('s3:PutObject', `${bucket}/*`)
    expect((await post({ fields }, alice)).code).toBe('AccessDenied')
    await grant(['s3:PutObject', 's3:PutObjectTagging'], `${bucket}/*`)
    expect((await post({ fields }, alice)).status).toBe(204)
    expect((await at.send('GET', `/${bucket}/k?tagging`)).element('Key')).toBe('a')
  })

  test('anonymous forms need a bucket that everybody may write to', async () => {
    expect((await post({}, null)).code).toBe('AccessDenied')
    await grant('s3:PutObject', `${bucket}/*`, '*')
    expect((await post({}, null)).status).toBe(204)
  })

  test('is refused by a policy of the bucket, whoever signed the form', async () => {
    await at.send('PUT', `/${bucket}?policy`, {
      body: JSON.stringify({
        Statement: [
          {
            Effect: 'Allow',
            Principal: '*',
            Action: 's3:PutObject',
            Resource: [`arn:aws:s3:::${bucket}/*`, `arn:aws:s3:::${bucket}`],
          },
          {
            Effect: 'Deny',
            Principal: '*',
            Action: 's3:PutObject',
            Resource: `arn:aws:s3:::${bucket}/no/*`,
          },
        ],
      }),
    })
    expect((await post({ fields: [['key', 'no/k']] }, alice)).code).toBe('AccessDenied')
    expectNothing()
    expect((await post({ fields: [['key', 'yes/k']] }, alice)).status).toBe(204)
  })

  test('a redirect cannot bring a header of its own', async () => {
    const target = 'http://h.example/\r\nSet-Cookie: a=b'
    const fields = [
      ['key', 'k'],
      ['success_action_redirect', target],
    ] as const
    const answer = await post({ fields })
    expect([answer.status, answer.header('set-cookie')]).toEqual([204, undefined])
  })

  test('a page of another origin may read the answer where the bucket says so', async () => {
    const rule =
      '<AllowedMethod>POST</AllowedMethod><AllowedOrigin>http://page.example</AllowedOrigin>'
    const body = `<CORSConfiguration><CORSRule>${rule}</CORSRule></CORSConfiguration>`
    const stored = await at.send('PUT', `/${bucket}?cors`, {
      body,
      headers: { 'Content-MD5': createHash('md5').update(body).digest('base64') },
    })
    expect(stored.status).toBe(200)
    const answer = await at.send('POST', `/${bucket}`, {
      sign: false,
      headers: { 'Content-Type': formType(), Origin: 'http://page.example' },
      body: formBody({}, bucket, at.credentials),
    })
    expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([
      204,
      'http://page.example',
    ])
  })

  test('metadata of more than 2 KiB is refused', async () => {
    const fields = [
      ['key', 'k'],
      ['x-amz-meta-a', 'x'.repeat(2048)],
    ] as const
    expect((await post({ fields })).code).toBe('MetadataTooLarge')
    expectNothing()
  })
})

describe('A5: forms that try it on: 400 or 403, no byte visible, no temporary file left', () => {
  const EXPECTED = [400, 403]
  const refused = async (form: PostForm, credentials?: Credentials | null): Promise<void> => {
    const answer = await post(form, credentials)
    expect(EXPECTED).toContain(answer.status)
    expectNothing()
  }
  const conditions = (...more: unknown[]) => ({ policy: { conditions: [{ bucket }, ...more] } })

  test('no policy', () => refused({}, null))

  test('a signature without its policy', () => refused({ signature: { policy: null } }))

  test('expired', () => refused({ policy: { expiration: -1 } }))

  test('signed more than an hour ago', () =>
    refused({ signature: { 'x-amz-date': '20200101T000000Z' } }))

  test('wrong bucket', () =>
    refused({ policy: { conditions: [{ bucket: 'another' }, { key: 'k' }] } }))

  test('no bucket in the policy', () => refused({ policy: { conditions: [{ key: 'k' }] } }))

  test('a bucket field that contradicts the path', () =>
    refused({
      fields: [
        ['key', 'k'],
        ['bucket', 'another'],
      ],
      policy: { conditions: [{ bucket: 'another' }, { key: 'k' }] },
    }))

  test('key not matching', () => refused(conditions(['starts-with', '$key', 'user/'])))

  test('a key that climbs out of what it starts with', async () => {
    const policy = conditions(['starts-with', '$key', 'user/'])
    await refused({ fields: [['key', 'user/../../x']], ...policy })
    expect(existsSync(at.path('x'))).toBe(false)
  })

  test('a key that leaves by dots what it has to start with, within the bucket', async () => {
    const policy = conditions(['starts-with', '$key', 'user/'])
    await refused({ fields: [['key', 'user/../admin/x']], ...policy })
    const within = await post({ fields: [['key', 'user/a/../x']], ...policy })
    expect([within.status, existsSync(at.path(bucket, 'user/x'))]).toEqual([204, true])
  })

  test('${filename}=../../x: the key is taken literally (contract 4.5)', async () => {
    const answer = await post({ fields: [['key', 'u/${filename}']], filename: '../../x' })
    expect(answer.status).toBe(204)
    expect(existsSync(at.path(bucket, 'u/${filename}'))).toBe(true)
    expect(existsSync(at.path('x'))).toBe(false)
  })

  test.each([100_000, 2_000_000])(
    'content-length-range exceeded by a chunked body of %i',
    async (size) => {
      const body = formBody(
        {
          file: randomBytes(size),
          ...conditions({ key: 'k' }, ['content-length-range', 0, size - 1]),
        },
        bucket,
        at.credentials,
      )
      const connection = await openConnection(at.gateway.port)
      connection.write(
        `POST /${bucket} HTTP/1.1\r\nHost: ${at.host}\r\nContent-Type: ${formType()}\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`,
      )
      connection.write(body)
      connection.write('\r\n0\r\n\r\n')
      expect((await connection.response()).code).toBe('EntityTooLarge')
      connection.close()
      expectNothing()
    },
  )

  test('content-length-range not reached by a large file', async () => {
    const file = randomBytes(1_000_000)
    const answer = await post({
      file,
      ...conditions({ key: 'k' }, ['content-length-range', 1_000_001, 2_000_000]),
    })
    expect(answer.code).toBe('EntityTooSmall')
    expectNothing()
  })

  test('duplicate fields', async () => {
    const policy = conditions(['starts-with', '$key', 'user/'])
    for (const keys of [
      ['user/a', 'b'],
      ['b', 'user/a'],
    ])
      await refused({ fields: keys.map((key) => ['key', key] as const), ...policy })
  })

  test('file before policy', async () => {
    const after = [
      ['key', 'k'],
      ['policy', 'x'],
    ] as const
    await refused({ fields: [], after }, null)
    await refused({ after: [['policy', 'x']] }, null)
  })

  test('a field that no condition allows', () =>
    refused({
      fields: [
        ['key', 'k'],
        ['x-amz-meta-a', '1'],
      ],
      ...conditions({ key: 'k' }),
    }))

  test('another’s signature, another policy, a signature of nobody', async () => {
    await refused({ signature: { 'x-amz-signature': '0'.repeat(64) } })
    await refused({}, { access: 'nobody', secret: 'x' })
    await refused({}, { access: 'alice', secret: 'not-hers' })
  })
})
