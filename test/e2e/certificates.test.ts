import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort, scratch, startGateway, type Gateway } from '../support/gateway.ts'
import { makeCertificate } from '../support/otlp-certificate.ts'
import { signHeaders } from '../support/sigv4.ts'

const dir = mkdtempSync(join(scratch(), 'vgw-certificates-'))
afterAll(() => rmSync(dir, { recursive: true }))

const s3 = { cert: join(dir, 's3.pem'), key: join(dir, 's3.key') }
const admin = { cert: join(dir, 'admin.pem'), key: join(dir, 'admin.key') }

function renew(files: { cert: string; key: string }): string {
  const { cert, key } = makeCertificate()
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key)
  return cert
}

/** What a new connection is offered, as PEM. */
async function offered(port: number): Promise<{ pem: string; socket: TLSSocket }> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const pem = socket.getPeerX509Certificate()?.toString() ?? ''
  return { pem, socket }
}

async function certificateOn(port: number): Promise<string> {
  const { pem, socket } = await offered(port)
  socket.destroy()
  return pem
}

async function reload(gateway: Gateway, text: RegExp): Promise<void> {
  const before = gateway.stdout.length
  process.kill(gateway.pid, 'SIGHUP')
  await expect.poll(() => gateway.stdout.slice(before), { timeout: 10_000 }).toMatch(text)
}

describe('contract 1.6: SIGHUP reloads "all cert/key pairs, printing `srv cert reloaded (cert: …, key: …)`"', () => {
  let first: { s3: string; admin: string }
  beforeEach(() => {
    first = { s3: renew(s3), admin: renew(admin) }
  })

  async function start(): Promise<{ gateway: Gateway; adminPort: number }> {
    const adminPort = await freePort()
    const gateway = await startGateway({
      tls: s3,
      flags: [
        '--quiet',
        '--admin-port',
        `127.0.0.1:${adminPort}`,
        '--admin-cert',
        admin.cert,
        '--admin-cert-key',
        admin.key,
      ],
    })
    return { gateway, adminPort }
  }

  test('new connections to S3 and to the admin port are offered the new certificates', async () => {
    const { gateway, adminPort } = await start()
    await using running = gateway
    expect(await certificateOn(running.port)).toBe(first.s3)
    const old = await offered(running.port)
    const second = { s3: renew(s3), admin: renew(admin) }
    await reload(running, /admSrv cert reloaded/)
    expect(running.stdout).toContain(`\nsrv cert reloaded (cert: ${s3.cert}, key: ${s3.key})\n`)
    expect(running.stdout).toContain(
      `\nadmSrv cert reloaded (cert: ${admin.cert}, key: ${admin.key})\n`,
    )
    expect(running.stderr).toContain('caught signal SIGHUP\n')
    expect(await certificateOn(running.port)).toBe(second.s3)
    expect(await certificateOn(adminPort)).toBe(second.admin)
    // A connection that was open is served on.
    old.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const [answer] = (await once(old.socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 403 /)
    old.socket.destroy()
  })

  /** Contract 7.7: "Certificates are reloadable on SIGHUP (old one stays if loading fails)". */
  test.each([
    ['is no certificate', () => writeFileSync(s3.cert, 'junk')],
    ['is gone', () => rmSync(s3.cert)],
    ['is of another key', () => writeFileSync(s3.cert, makeCertificate().cert)],
    ['has no key', () => rmSync(s3.key)],
  ])('what %s leaves the old one, and the other listeners are reloaded', async (_, spoil) => {
    const { gateway, adminPort } = await start()
    await using running = gateway
    spoil()
    const second = renew(admin)
    await reload(running, /admSrv cert reloaded/)
    expect(running.stdout).toContain('srv cert reload failed')
    expect(running.stdout).not.toContain('\nsrv cert reloaded')
    expect(await certificateOn(running.port)).toBe(first.s3)
    expect(await certificateOn(adminPort)).toBe(second)
    // What is mended is taken with the next signal.
    const third = renew(s3)
    await reload(running, /(?:^|\n)srv cert reloaded/)
    expect(await certificateOn(running.port)).toBe(third)
  })

  test('TLS is no older than 1.2 afterwards either', async () => {
    const { gateway } = await start()
    await using running = gateway
    renew(s3)
    await reload(running, /admSrv cert reloaded/)
    const socket = connect({
      port: running.port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
    const [error] = await once(socket, 'error')
    expect(String(error)).toMatch(/alert|EPROTO|ECONNRESET|protocol/i)
  })

  test('without TLS there is nothing to reload, and the gateway goes on', async () => {
    await using gateway = await startGateway()
    process.kill(gateway.pid, 'SIGHUP')
    await gateway.waitFor(/caught signal SIGHUP/)
    expect((await fetch(gateway.endpoint)).status).toBe(403)
  })
})

/** Contract 1.2: `--port` takes "unix path (`/…` or `./…`), abstract socket `@name`"; 7.7. */
describe('TLS over a unix socket', () => {
  const name = `vgw-tls-${randomBytes(6).toString('hex')}`
  test.each([
    ['a file', join(dir, `${name}.sock`), join(dir, `${name}.sock`)],
    ['an abstract one', `@${name}`, `\0${name}`],
  ])('%s: objects small and large go both ways', async (_, spec, path) => {
    const ca = renew(s3)
    await using gateway = await startGateway({ tls: s3, flags: ['--port', spec] })
    await gateway.waitFor(/listening .*\n/)
    mkdirSync(join(gateway.dir, 'bucket'))
    const agent = new Agent({ ca })
    agent.createConnection = () =>
      connect({ socket: connectSocket(path), ca, servername: 'localhost' })
    for (const size of [1000, 9_000_000]) {
      const body = randomBytes(size)
      const put = await send(gateway, agent, 'PUT', `/bucket/k${size}`, body)
      expect(put.status).toBe(200)
      const got = await send(gateway, agent, 'GET', `/bucket/k${size}`)
      expect(got.status).toBe(200)
      expect(Buffer.compare(got.body, body)).toBe(0)
    }
    agent.destroy()
  })
})

async function send(
  gateway: Gateway,
  agent: Agent,
  method: string,
  path: string,
  body?: Buffer,
): Promise<{ status: number | undefined; body: Buffer }> {
  const { access, secret } = gateway
  const { headers } = signHeaders(
    { method, target: path, headers: [['Host', 'localhost']] },
    { access, secret },
    { payloadHash: 'UNSIGNED-PAYLOAD' },
  )
  const sent = request({ agent, method, path, headers: Object.fromEntries(headers) })
  sent.end(body)
  const [response] = await once(sent, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { status: response.statusCode, body: Buffer.concat(chunks) }
}
