import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TABLE, type TableOperation } from '../support/access-operations.ts'
import { accountDirectory, accountXml } from '../support/admin.ts'
import { Canaries, plantedHeaders, startCapture, type Capture } from '../support/canaries.ts'
import { useGateway, type RawRequest } from '../support/fixture.ts'
import { freePort } from '../support/gateway.ts'
import { formBody, formType } from '../support/post-form.ts'
import { exchange, openConnection, type RawResponse } from '../support/raw-http.ts'
import { presignTarget, type HeaderList } from '../support/sigv4.ts'

/**
 * A secret in every place where a request, a document, an account or the environment can carry one, through every operation and
 * every kind of failure; then everything the gateway says to anybody is searched (trace contract, section 4).
 */
describe('secrets that are planted are found nowhere', () => {
  const canaries = new Canaries()
  const plant = (place: string): string => canaries.plant(place)
  const iamDir = accountDirectory()
  const secrets = {
    root: plant('ROOT_SECRET_ACCESS_KEY'),
    otelHeader: plant('VGW_OTEL_HEADERS'),
    dsnKey: plant('the key of VGW_SENTRY_DSN'),
    viewerToken: plant('VGW_VIEWER_TOKEN'),
    user: plant('an account’s secret'),
    changed: plant('an account’s new secret'),
    guessed: plant('the wrong secret somebody signed with'),
  }
  let capture: Capture | undefined
  let metricsPort = 0
  let viewerPort = 0
  beforeAll(async () => {
    capture = await startCapture()
    metricsPort = await freePort()
    viewerPort = await freePort()
  })
  afterAll(() => capture?.close())

  const fixture = useGateway(() => ({
    flags: [
      ...`--log-level trace --iam-debug --iam-dir ${iamDir} --otel-enabled --otel-depth syscall`.split(
        ' ',
      ),
      ...`--otel-use-http --otel-trust-parent always`.split(' '),
      ...`--otel-exporter otlp,console,file,zipkin --otel-file ${join(iamDir, 'traces.jsonl')}`.split(
        ' ',
      ),
      ...`--sentry-enabled`.split(' '),
      ...`--metrics-port 127.0.0.1:${metricsPort} --viewer 127.0.0.1:${viewerPort}`.split(' '),
    ],
    env: {
      ROOT_SECRET_ACCESS_KEY: secrets.root,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      VGW_OTEL_ENDPOINT: `${capture?.url}/v1/traces?key=${plant('the query of VGW_OTEL_ENDPOINT')}`,
      VGW_OTEL_ZIPKIN_ENDPOINT: `${capture?.url}/zipkin?key=${plant('the query of VGW_OTEL_ZIPKIN_ENDPOINT')}`,
      VGW_OTEL_HEADERS: `x-key=${secrets.otelHeader}`,
      VGW_SENTRY_DSN: `http://${secrets.dsnKey}@127.0.0.1:${capture?.port}/42`,
      VGW_VIEWER_TOKEN: secrets.viewerToken,
      AWS_SECRET_ACCESS_KEY: plant('a variable of others'),
    },
  }))

  /** Headers that may be sent with anything. Their values are known to who sends them, and to nobody else. */
  const headers = plantedHeaders(plant)
  const query = `unknown=${plant('an unknown parameter')}&response-content-disposition=${plant('a response parameter')}&X-Amz-Security-Token-2=${plant('a parameter like one of Amazon’s')}&${plant('a bare parameter')}`
  const answers: RawResponse[] = []

  async function send(
    method: string,
    target: string,
    request: RawRequest = {},
  ): Promise<RawResponse> {
    const given = Array.isArray(request.headers)
      ? request.headers
      : Object.entries(request.headers ?? {})
    const answer = await fixture.send(method, target, {
      ...request,
      headers: [...headers, ...(given as HeaderList)],
    })
    answers.push(answer)
    return answer
  }

  const withQuery = (target: string): string =>
    `${target}${target.includes('?') ? '&' : '?'}${query}`

  beforeAll(async () => {
    for (const name of ['first', 'second']) mkdirSync(join(fixture.gateway.dir, name))
    await send('PUT', '/first/key', { body: plant('the body of an object') })
    await accounts()
    // Side by side: an answer to a wrong secret takes its time.
    await Promise.all(TABLE.map((operation) => everyWay(operation)))
    await documents()
    await forms()
    await credentials()
    await brokenOff()
    // When the last of them has left, all have.
    await fixture.send('GET', '/first/the-last-one')
    for (const path of ['/v1/traces', '/zipkin']) await capture?.waitFor(path, 'the-last-one')
    await fixture.gateway.waitFor(/GET \| \/first\/the-last-one/)
  })

  /** Each operation: as root, with a secret that is wrong, anonymous, in a bucket that is not there, with a body that is wrong. */
  async function everyWay({
    method,
    target,
    headers: own,
    body,
    name,
  }: TableOperation): Promise<void> {
    const place = (bucket: string): string => withQuery(`/${bucket}${target}`)
    const filled = Object.fromEntries(
      Object.entries(own).map(([key, value]) => [key, value.replace('{bucket}', 'first')]),
    )
    const request = { headers: filled, body }
    const wrong = { access: fixture.credentials.access, secret: secrets.guessed }
    await send(method, place('second'), request)
    await send(method, place('first'), { ...request, credentials: wrong })
    await send(method, place('first'), { headers: filled, body, sign: false })
    await send(method, place('no-such-bucket'), request)
    if (method !== 'PUT' && method !== 'POST') return
    await send(method, place('second'), { body: `<x>${plant(`a wrong body of ${name}`)}` })
    await send(method, place('second'), { body: `{"x": "${plant(`JSON in ${name}`)}"` })
  }

  async function accounts(): Promise<void> {
    const call = (target: string, body = ''): Promise<RawResponse> =>
      send('PATCH', target, { body })
    await call('/create-user', accountXml({ access: 'alice', secret: secrets.user, role: 'user' }))
    await call(
      '/create-user',
      accountXml({ access: 'alice', secret: plant('the secret of a second alice'), role: 'user' }),
    )
    await call(
      '/create-user',
      accountXml({ access: 'bob', secret: plant('a secret beside a bad role'), role: 'king' }),
    )
    await call('/create-user', `<Account><Secret>${plant('a secret in a broken document')}`)
    await call(
      '/update-user?access=alice',
      `<MutableProps><Secret>${secrets.changed}</Secret></MutableProps>`,
    )
    await call('/list-users')
    await send('PATCH', '/list-users', {
      credentials: { access: 'alice', secret: secrets.changed },
    })
    await call(`/delete-user?access=nobody&secret=${plant('a parameter of the admin API')}`)
  }

  async function documents(): Promise<void> {
    const statement = {
      Sid: plant('a policy'),
      Effect: 'Allow',
      Principal: '*',
      Action: 's3:GetObject',
      Resource: 'arn:aws:s3:::first/*',
      Condition: { StringEquals: { 'aws:UserAgent': plant('a condition of a policy') } },
    }
    await send('PUT', '/first?policy', {
      body: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    })
    await send('PUT', '/first?policy', {
      body: `{"Statement": ${plant('a policy that is no JSON')}`,
    })
    await send('GET', '/first?policy')
    await send('GET', '/first/key', { sign: false })
    const tag = `<Tag><Key>${plant('a tag’s key')}</Key><Value>${plant('a tag’s value')}</Value></Tag>`
    await send('PUT', '/first/key?tagging', { body: `<Tagging><TagSet>${tag}</TagSet></Tagging>` })
    await send('PUT', '/first/tagged', {
      headers: { 'x-amz-tagging': `a=${plant('x-amz-tagging')}` },
      body: 'x',
    })
    await send('GET', '/first/key?tagging')
    await send('PUT', '/first/digest', {
      headers: { 'Content-MD5': plant('Content-MD5') },
      body: 'x',
    })
    await send('PUT', '/first/sum', {
      headers: { 'x-amz-checksum-sha256': plant('a checksum') },
      body: 'x',
    })
    const copied = `/first/key?token=${plant('a parameter of x-amz-copy-source')}`
    await send('PUT', '/first/copied', {
      headers: { 'x-amz-copy-source': copied, 'x-amz-acl': plant('an ACL') },
    })
    await send('PUT', '/first/typed', {
      headers: { 'Content-Type': `text/${plant('Content-Type')}` },
      body: 'x',
    })
    await send('GET', '/first?analytics')
    await send('GET', '/first/key', {
      headers: { 'If-Match': `"${plant('If-Match')}"`, Origin: 'http://page' },
    }).catch(() => undefined)
  }

  async function forms(): Promise<void> {
    const credentials = fixture.credentials
    const fields = [
      ['key', 'form'],
      ['x-amz-meta-note', plant('a form’s metadata')],
      ['x-amz-security-token', plant('a form’s session token')],
      ['tagging', plant('a form’s tagging')],
      ['unknown', plant('a form’s unknown field')],
    ] as const
    const file = plant('a form’s file')
    const policies = [
      undefined,
      `{"${plant('a form’s policy')}`,
      { conditions: [['eq', '$key', plant('a condition of a form')]] },
    ]
    for (const policy of policies) {
      const form = {
        fields,
        file,
        filename: plant('a file name'),
        ...(policy === undefined ? {} : { policy }),
      }
      for (const who of [credentials, { ...credentials, secret: secrets.guessed }])
        await send('POST', '/first', {
          sign: false,
          headers: { 'Content-Type': formType() },
          body: formBody(form, 'first', who),
        })
    }
    await send('POST', '/first', {
      sign: false,
      headers: { 'Content-Type': formType() },
      body: formBody(
        { fields, signature: { 'x-amz-signature': plant('a form’s signature') } },
        'first',
        credentials,
      ),
    })
  }

  /** Credentials in their other forms, and where they do not belong. */
  async function credentials(): Promise<void> {
    const { access } = fixture.credentials
    const good = { method: 'GET', target: withQuery('/first/key'), host: fixture.host }
    const presigned = presignTarget(good, fixture.credentials, { expires: 60 })
    const unsigned = { sign: false } as const
    await send('GET', presigned, unsigned)
    await send(
      'GET',
      presignTarget(good, fixture.credentials, { expires: 1, date: new Date(0) }),
      unsigned,
    )
    await send('GET', presignTarget(good, { access, secret: secrets.guessed }), unsigned)
    await send(
      'GET',
      presigned.replace(/(?<=Signature=).*/, plant('a presigned signature')),
      unsigned,
    )
    await send(
      'GET',
      `${presigned}&X-Amz-Security-Token=${plant('a presigned session token')}`,
      unsigned,
    )
    await send(
      'GET',
      `/first/key?AWSAccessKeyId=${access}&Signature=${plant('a signature of version 2')}&Expires=9999999999`,
      unsigned,
    )
    const scheme = (value: string): RawRequest => ({
      sign: false,
      headers: { Authorization: value },
    })
    await send('GET', '/first/key', scheme(`Bearer ${plant('a bearer token')}`))
    await send(
      'GET',
      '/first/key',
      scheme(`Basic ${Buffer.from(`a:${plant('a basic password')}`).toString('base64')}`),
    )
    await send(
      'GET',
      '/first/key',
      scheme(`AWS ${access}:${plant('an Authorization of version 2')}`),
    )
    await send(
      'GET',
      '/first/key',
      scheme(
        `AWS4-HMAC-SHA256 Credential=${access}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=${plant('a header’s signature')}`,
      ),
    )
    await send('GET', '/first/key', scheme(plant('an Authorization that is nothing')))
    await send(
      'GET',
      `http://user:${plant('a password in an absolute target')}@host/first/key`,
      unsigned,
    ).catch(() => undefined)
  }

  /** What no parser takes, and bodies that end early. */
  async function brokenOff(): Promise<void> {
    const raw = [
      `GET /first/key HTTP/1.1\r\n${plant('a line that is no header')}\r\n\r\n`,
      `${plant('a method')} /first HTTP/1.1\r\nHost: h\r\n\r\n`,
      `GET /first?x=${plant('a target that is too long')}${'a'.repeat(20_000)} HTTP/1.1\r\nHost: h\r\n\r\n`,
      `GET /first/%zz?x=${plant('a parameter beside a broken escape')} HTTP/1.1\r\nHost: h\r\n\r\n`,
    ]
    for (const bytes of raw)
      answers.push(await exchange(fixture.gateway.port, Buffer.from(bytes), {}))
    const head = fixture.head('PUT', '/first/aborted', { headers, body: 'x'.repeat(1_000_000) })
    const connection = await openConnection(fixture.gateway.port)
    connection.write(Buffer.concat([head, Buffer.from(plant('a body that breaks off'))]))
    connection.close()
  }

  const output = (): string => fixture.gateway.stdout + fixture.gateway.stderr

  test('so much was planted, and so much was said', () => {
    expect(canaries.planted).toBeGreaterThan(100)
    expect(answers.length).toBeGreaterThan(TABLE.length * 4)
    expect(new Set(answers.map(({ status }) => Math.floor(status / 100)))).toEqual(
      new Set([2, 4, 5]),
    )
    expect(canaries.foundIn(Buffer.from(`xx${secrets.root}yy`).toString('base64'))).toHaveLength(1)
  })

  test('log at level trace, access lines, console exporter, start-up lines', () => {
    expect(output()).toContain('"msg":"request head"')
    expect(output()).toContain('"spans":[')
    expect(output()).toMatch(/ \| vgw \| 403 \| /)
    expect(canaries.foundIn(output())).toEqual([])
  })

  test('OTLP, Zipkin, file', () => {
    expect(capture?.bodies('/v1/traces')).toContain('Posix.Syscall.')
    expect(canaries.foundIn(capture?.bodies('/v1/traces') ?? '')).toEqual([])
    expect(capture?.bodies('/zipkin')).toContain('posix.')
    expect(canaries.foundIn(capture?.bodies('/zipkin') ?? '')).toEqual([])
    const file = readFileSync(join(iamDir, 'traces.jsonl'), 'utf8')
    expect(file).toContain('Posix.IO.')
    expect(canaries.foundIn(file)).toEqual([])
  })

  test('Sentry', () => {
    const events = capture?.bodies('/api/42') ?? ''
    expect(events).toContain('"type":"event"')
    // The head of an envelope has the key of the DSN: it goes to whom it belongs.
    expect(canaries.foundIn(events)).toEqual(canaries.foundIn(secrets.dsnKey))
    const items = events.split('\n').filter((line) => !line.includes('"public_key"'))
    expect(canaries.foundIn(items.join('\n'))).toEqual([])
  })

  test('metrics, with exemplars', async () => {
    const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`, {
      headers: { accept: 'application/openmetrics-text' },
    })
    const text = await answer.text()
    expect(text).toContain('versitygw_')
    expect(canaries.foundIn(text)).toEqual([])
  })

  test('what the viewer shows', async () => {
    const headers = { authorization: `Bearer ${secrets.viewerToken}` }
    const list = await (
      await fetch(`http://127.0.0.1:${viewerPort}/api/traces?limit=500`, { headers })
    ).text()
    expect(list).toContain('"operation":"PutObject"')
    expect(canaries.foundIn(list)).toEqual([])
  })

  test('what the machine shows of the process', () => {
    const show = (name: string): string =>
      readFileSync(`/proc/${fixture.gateway.pid}/${name}`, 'latin1')
    expect(canaries.foundIn(show('cmdline') + show('comm'))).toEqual([])
  })

  test('answers: what the gateway keeps is told to nobody; what a client sent may be told to itself', () => {
    const kept = Object.values(secrets).flatMap((secret) => canaries.foundIn(secret))
    // The admin API lists accounts with their secrets, to admins (contract 5.4).
    const told = answers.filter(({ text }) => !text.includes('<ListUserAccountsResult>'))
    const shown = told.flatMap(({ headers: all, text }) =>
      canaries.foundIn(`${JSON.stringify(all)}${text}`),
    )
    expect(shown.filter((place) => kept.includes(place))).toEqual([])
    // A signature that does not fit is explained to its sender by what it should have been made over, as Amazon does.
    const unexplained = answers.filter(({ code }) => code !== 'SignatureDoesNotMatch')
    const errors = unexplained.filter(({ status }) => status >= 400).map(({ text }) => text)
    const places = canaries.foundIn(errors.join('\n'))
    const credentials = places.filter((place) =>
      /token|cookie|key|authorization|password|secret|policy|MFA/i.test(place),
    )
    expect(credentials).toEqual([])
  })
})
