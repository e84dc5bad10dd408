import { mkdtempSync, rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { useGateway, type Fixture } from './fixture.ts'
import { scratch } from './gateway.ts'
import { startOtlpReceiver, type OtlpReceiver } from './otlp-receiver.ts'
import type { ReceivedSpan } from './otlp-protobuf.ts'
import type { RawResponse } from './raw-http.ts'

export interface TracedOptions {
  readonly protocol?: 'grpc' | 'http'
  /** A function where they are known only when the gateway starts. */
  readonly flags?: readonly string[] | (() => readonly string[])
  readonly posixFlags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What runs the program; see GatewayOptions. */
  readonly command?: readonly string[]
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Asked for when the gateway starts; served and left in place. Without one a new directory in memory is served. */
  readonly dir?: () => string | undefined
}

/** A gateway that exports every request to a receiver of its own. */
export interface Traced extends Fixture {
  readonly receiver: OtlpReceiver
  /** The whole trace of an answer, by its X-Trace-ID. */
  trace(answer: RawResponse): Promise<readonly ReceivedSpan[]>
}

export function useTracedGateway(options: TracedOptions = {}): Traced {
  const { protocol = 'grpc', flags = [], posixFlags = [], env = {} } = options
  let receiver: OtlpReceiver | undefined
  let dir = ''
  let ownsDir = false
  const running = (): OtlpReceiver => {
    if (receiver === undefined) throw new Error('the receiver runs only inside tests')
    return receiver
  }
  // Before the gateway's own hook, which `useGateway` registers.
  beforeAll(async () => {
    receiver = await startOtlpReceiver({ protocol })
    const given = options.dir?.()
    ownsDir = given === undefined
    dir = given ?? mkdtempSync(join(memoryDir(), 'vgw-trace-'))
  })
  const fixture = useGateway(() => ({
    dir,
    env: { OTEL_BSP_SCHEDULE_DELAY: '10', ...env },
    flags: [
      '--otel-enabled',
      '--otel-endpoint',
      running().url,
      ...(protocol === 'http' ? ['--otel-use-http'] : []),
      ...(typeof flags === 'function' ? flags() : flags),
    ],
    posixFlags,
    ...(options.command === undefined ? {} : { command: options.command }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  }))
  afterAll(async () => {
    await receiver?.close()
    if (ownsDir) rmSync(dir, { recursive: true, force: true })
  })
  return Object.defineProperties(fixture as Traced, {
    receiver: { get: running },
    trace: { value: (answer: RawResponse) => running().waitForTrace(traceIdOf(answer)) },
  })
}

export function traceIdOf(answer: RawResponse): string {
  const id = answer.header('x-trace-id') ?? ''
  if (!/^[0-9a-f]{32}$/.test(id))
    throw new Error(`X-Trace-ID of a ${answer.status} is ${id === '' ? 'missing' : id}`)
  return id
}

/** tmpfs where it can hold extended attributes (Linux 6.6): what is traced there does not depend on a disk. */
export function memoryDir(): string {
  const dir = mkdtempSync('/dev/shm/vgw-probe-')
  try {
    execFileSync('setfattr', ['-n', 'user.probe', '-v', '1', dir], { stdio: 'ignore' })
    return '/dev/shm'
  } catch {
    return scratch()
  } finally {
    rmSync(dir, { recursive: true })
  }
}
