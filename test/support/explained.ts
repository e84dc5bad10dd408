import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Fixture } from './fixture.ts'
import type { GatewayOptions } from './gateway.ts'
import type { RawResponse } from './raw-http.ts'

/** What is said of a request in words. */
export interface Explained {
  readonly cause: string
  readonly sentence: string
  readonly verdict: string
  readonly facts: readonly string[]
  readonly phases: readonly { phase: string; ms: number }[]
}

/** A process that had no processor, or had to wait for everything a while, cannot tell who else was slow, and says so. */
const BUSY = /the gateway's process was|processors were busy|machine was too busy|^No single cause/

/** What has to be named, unless this machine was too busy to tell; anything else would be wrong. */
export function expectCause({ cause, verdict }: Explained, expected: string): void {
  if (cause === 'unknown' && BUSY.test(verdict))
    console.warn(`this machine was too busy to tell a cause (${expected}): ${verdict}`)
  else expect([cause, verdict]).toEqual([expected, verdict])
}

const TOKEN = 'token of the tests of causes'.replaceAll(' ', '-')

/** Options of a gateway that explains its requests. */
export const EXPLAINS = {
  flags: ['--viewer', '127.0.0.1:0'],
  env: { VGW_VIEWER_TOKEN: TOKEN },
} as const satisfies GatewayOptions

export function viewerOf(at: Fixture): Promise<string> {
  return at.gateway.waitFor(/viewer {6}(http:\/\/[\d.:]+)/).then(([, url = '']) => url)
}

/** What the viewer says of a request, which must add up whatever it says. */
export async function explained(
  at: Fixture,
  answer: Pick<RawResponse, 'header'>,
): Promise<Explained> {
  const url = await viewerOf(at)
  const id = answer.header('x-amz-request-id') ?? ''
  for (let tries = 0; ; tries++) {
    const found = await fetch(`${url}/api/traces/${id}`, {
      headers: { Authorization: `Bearer ${TOKEN}` },
    })
    // The trace ends when the answer has gone.
    if (found.status === 404 && tries < 200) {
      await sleep(20)
      continue
    }
    const { traces } = (await found.json()) as {
      traces: { durationMs: number; explanation: Explained }[]
    }
    const [trace] = traces
    if (trace === undefined) throw new Error(`no trace of ${id}`)
    const { explanation, durationMs } = trace
    expect(explanation.phases.reduce((sum, { ms }) => sum + ms, 0)).toBeCloseTo(durationMs, 3)
    return explanation
  }
}

/** Names `key-000000` and on, as quickly as can be: of one file, on a file system that allows so many. */
export function addEntries(dir: string, count: number): void {
  const script =
    'open(F, ">", "key-000000"); for (1 .. $ARGV[0] - 1) { link("key-000000", sprintf("key-%06d", $_)) or die $! }'
  execFileSync('perl', ['-e', script, String(count)], { cwd: dir })
}

/** posix_fadvise(2) with DONTNEED, by the only program everybody has that calls it. */
export function dropFromCache(file: string): void {
  execFileSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], {
    stdio: 'pipe',
  })
}

/** A client that is as fast as can be: it looks at the head and throws the rest away. */
export async function getAndForget(
  at: Fixture,
  target: string,
): Promise<Pick<RawResponse, 'header'>> {
  const socket = connect(at.gateway.port, '127.0.0.1')
  socket.write(at.head('GET', target, { headers: { Connection: 'close' } }))
  const [first] = (await once(socket, 'data')) as [Buffer]
  const head = first.toString('latin1')
  socket.resume()
  await once(socket, 'close')
  return {
    header: (name) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1],
  }
}

export interface Delayed {
  readonly port: number
  close(): void
}

/** A way to a port on which each piece takes its time. */
export async function delayed(port: number, delayMs: number): Promise<Delayed> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    near.on('data', (piece) => setTimeout(() => far.write(piece), delayMs))
    far.on('data', (piece) => near.write(piece))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP port')
  return {
    port: address.port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
