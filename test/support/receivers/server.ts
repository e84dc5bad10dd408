import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { accepts, freePort, scratch } from '../gateway.ts'

/** A program that listens, and dies with us. */
export interface Server extends AsyncDisposable {
  readonly port: number
}

export interface ServerOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly startMs?: number
  /** Gone when it has ended. */
  readonly scratchDir?: string
}

export async function startServer(
  program: string,
  args: readonly string[],
  port: number,
  { env = {}, startMs = 20_000, scratchDir }: ServerOptions = {},
): Promise<Server> {
  const child = spawn(program, [...args], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], ...env },
  })
  const killWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithUs)
  const server: Server = {
    port,
    async [Symbol.asyncDispose]() {
      await end(child)
      process.off('exit', killWithUs)
      if (scratchDir !== undefined) rmSync(scratchDir, { recursive: true })
    },
  }
  for (const deadline = Date.now() + startMs; !(await accepts(port)); await sleep(50)) {
    if (Date.now() < deadline && child.exitCode === null) continue
    await server[Symbol.asyncDispose]()
    throw new Error(`${program} did not start`)
  }
  return server
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill()
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await gone
  clearTimeout(timer)
}

const deployed = (path: string): string =>
  fileURLToPath(new URL(`../../../deploy/${path}`, import.meta.url))

export interface CollectorOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Another configuration, which is laid over the one that is deployed. */
  readonly over?: string
}

export interface CollectorServer extends Server {
  readonly httpPort: number
}

/** A program that reads a collector's configuration, one that is deployed, on ports of its own; its port is OTLP's for gRPC. */
export async function startCollector(
  program: string,
  config: string,
  { env = {}, over = '' }: CollectorOptions = {},
): Promise<CollectorServer> {
  const ports = await Promise.all(Array.from({ length: 4 }, freePort))
  const [grpc = 0, http = 0, health = 0, telemetry = 0] = ports
  const scratchDir = mkdtempSync(join(scratch(), 'vgw-collector-'))
  const [file, overFile] = [join(scratchDir, 'config.yaml'), join(scratchDir, 'over.yaml')]
  // The ports of what it tells about itself are numbers in it.
  const text = readFileSync(deployed(config), 'utf8').replaceAll('port: 8888', `port: ${telemetry}`)
  writeFileSync(file, text)
  writeFileSync(overFile, over)
  const configs = over === '' ? [file] : [file, overFile]
  const server = await startServer(
    program,
    configs.flatMap((path) => ['--config', path]),
    grpc,
    {
      scratchDir,
      env: {
        OTLP_GRPC_ENDPOINT: `127.0.0.1:${grpc}`,
        OTLP_HTTP_ENDPOINT: `127.0.0.1:${http}`,
        HEALTH_ENDPOINT: `127.0.0.1:${health}`,
        TELEMETRY_HOST: '127.0.0.1',
        ...env,
      },
    },
  )
  return { ...server, httpPort: http }
}
