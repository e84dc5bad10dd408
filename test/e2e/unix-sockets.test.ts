import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request, type AgentOptions } from 'node:http'
import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Program, freePort, scratch, startGateway, type Gateway } from '../support/gateway.ts'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(scratch(), 'vgw-unix-'))
})

afterEach(() => {
  rmSync(dir, { recursive: true })
})

/** Runs `use` with a client whose connections all go to `socketPath`. */
async function withClient(
  gateway: Gateway,
  socketPath: string,
  use: (s3: S3Client) => Promise<void>,
): Promise<void> {
  const through: AgentOptions & { socketPath: string } = { socketPath }
  const s3 = new S3Client({
    endpoint: 'http://localhost',
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: gateway.access, secretAccessKey: gateway.secret },
    requestHandler: { httpAgent: new Agent(through) },
  })
  await use(s3)
  s3.destroy()
}

async function statusOn(socketPath: string): Promise<number> {
  const sent = request({ socketPath, path: '/' })
  sent.end()
  const [response] = await once(sent, 'response')
  response.resume()
  return response.statusCode
}

describe('contract 1.2: `--port` takes a unix path (`/…` or `./…`) and an abstract socket (`@name`)', () => {
  test.each(['/', './', '@'])('%s…: objects small and large go both ways', async (kind) => {
    const name = `s3-${randomBytes(6).toString('hex')}`
    const [spec, socketPath] =
      kind === '@'
        ? [`@${name}`, `\0${name}`]
        : [kind === '/' ? join(dir, name) : `./${name}`, join(dir, name)]
    await using gateway = await startGateway({ flags: ['--port', spec], cwd: dir })
    await gateway.waitFor(/listening .*\n/)
    expect(gateway.stdout).toContain(`unix:${kind === '@' ? spec : socketPath}\n`)
    mkdirSync(join(gateway.dir, 'bucket'))
    await withClient(gateway, socketPath, async (s3) => {
      // The large one leaves by sendfile, which has to know the descriptor of a pipe as well as that of a TCP socket.
      for (const size of [1000, 9_000_000]) {
        const body = randomBytes(size)
        const where = { Bucket: 'bucket', Key: `k${size}` }
        await s3.send(new PutObjectCommand({ ...where, Body: body }))
        const { Body } = await s3.send(new GetObjectCommand(where))
        const got = Buffer.from((await Body?.transformToByteArray()) ?? [])
        expect(Buffer.compare(got, body)).toBe(0)
      }
    })
    await gateway.waitFor(/\| 200 \| +\S+ \| 0\.0\.0\.0 \| GET \| \/bucket\/k1000 /)
  })

  test('--socket-perm: the octal mode of the file', async () => {
    const path = join(dir, 's3.sock')
    await using gateway = await startGateway({ flags: ['--port', path, '--socket-perm', '606'] })
    await gateway.waitFor(/listening .*\n/)
    expect(lstatSync(path).mode & 0o777).toBe(0o606)
  })

  test('the file goes when the gateway stops', async () => {
    const path = join(dir, 's3.sock')
    const gateway = await startGateway({ flags: ['--port', path] })
    await gateway.stop()
    expect(existsSync(path)).toBe(false)
  })
})

describe('contract 1.6: "Stale unix-socket files are removed at start; an existing non-socket path is an error"', () => {
  test('a file that a killed gateway left is replaced', async () => {
    const path = join(dir, 's3.sock')
    const first = await startGateway({ flags: ['--port', path] })
    await first.waitFor(/listening .*\n/)
    await first.stop('SIGKILL')
    expect(lstatSync(path).isSocket()).toBe(true)
    await using second = await startGateway({ flags: ['--port', path] })
    await second.waitFor(/listening .*\n/)
    expect(await statusOn(path)).toBe(403)
  })

  test.each([
    ['a file', (path: string) => writeFileSync(path, 'precious')],
    ['a directory', (path: string) => mkdirSync(path)],
  ])('%s stays, and is one line', async (_, make) => {
    const path = join(dir, 's3.sock')
    make(path)
    const { code, stderr } = await start(path)
    expect(stderr).toMatch(/^\S+ \S+ [^\n]*\n$/)
    expect(stderr).toContain(`${path} already exists and is not a socket`)
    expect(code).toBe(1)
    expect(existsSync(path)).toBe(true)
  })

  test.each(['./s3.sock', `@vgw-taken-${process.pid}`])(
    '%s where somebody listens is in use',
    async (spec) => {
      const place = spec.startsWith('@') ? `\0${spec.slice(1)}` : join(dir, 's3.sock')
      const other = createServer()
      other.listen(place)
      await once(other, 'listening')
      const { code, stderr } = await start(spec)
      const name = spec.startsWith('@') ? spec : place
      expect(stderr).toMatch(/^\S+ \S+ [^\n]*\n$/)
      expect(stderr).toContain(`socket ${name} is in use: choose another with --port`)
      expect(code).toBe(1)
      await closed(other)
    },
  )

  async function start(spec: string): Promise<{ code: number | null; stderr: string }> {
    const data = join(dir, 'data')
    mkdirSync(data)
    const port = await freePort()
    const program = new Program(['--port', `127.0.0.1:${port}`, '--port', spec, 'posix', data], {
      cwd: dir,
    })
    const { code } = await program.exitWithin(20_000)
    return { code, stderr: program.stderr }
  }
})

async function closed(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}
