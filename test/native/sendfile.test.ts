import { randomBytes } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { openSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { SendFileResult } from '../../src/io/io.ts'
import { readSyscalls } from '../../src/io/syscalls.ts'
import { failureOf, useIo } from './fixture.ts'

const { EBADF, ECANCELED, ECONNRESET, EIO, EPIPE, ETIMEDOUT } = constants.errno

const f = useIo()

let server: Server
const accepted: Socket[] = []
beforeAll(async () => {
  server = createServer((socket) => accepted.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => server.close())

/** Both ends of a connection; the client does not read yet. */
async function pair(): Promise<{ socket: Socket; client: Socket }> {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const client = connect({ port: address.port, host: '127.0.0.1' })
  client.on('error', () => undefined)
  await new Promise((resolve) => client.once('connect', resolve))
  const socket = await vi.waitFor(() => {
    const found = accepted.pop()
    if (found === undefined) throw new Error('not accepted')
    return found
  })
  socket.on('error', () => undefined)
  return { socket, client }
}

function descriptor(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd
}

interface Options {
  offset?: number
  length: number
  stallMs?: number
  signal?: AbortSignal
}

/** Sends the file of this test, which the addon owns from then on. */
function send(socket: Socket, { offset = 0, length, stallMs = 10_000, signal }: Options): Promise<SendFileResult> {
  const file = openSync(f.path('file'), 'r')
  return f.io.sendFile(f.span, { socketFd: descriptor(socket), file, offset, length, stallMs, signal })
}

async function readAll(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of client) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function close(...sockets: Socket[]): void {
  for (const socket of sockets) socket.destroy()
}

/** Descriptors of the process, sockets too. */
function countFiles(): number {
  return readdirSync('/proc/self/fd').length
}

describe('sendFile', () => {
  it.each([0, 1, 100_000, 30_000_000])('sends %i bytes', async (length) => {
    const content = randomBytes(length)
    writeFileSync(f.path('file'), content)
    const { socket, client } = await pair()
    const received = readAll(client)
    const result = await send(socket, { length })
    socket.end()
    expect(result.bytes).toBe(length)
    expect((await received).equals(content)).toBe(true)
    close(socket, client)
  })

  it('sends a range, and tells of it in its span', async () => {
    writeFileSync(f.path('file'), '0123456789')
    const { socket, client } = await pair()
    const received = readAll(client)
    await send(socket, { offset: 3, length: 4 })
    socket.end()
    expect((await received).toString()).toBe('3456')
    const [span] = f.span.recorder.spans.slice(1)
    expect(span?.name).toBe('Posix.IO.SendFile')
    expect(span?.attributes).toMatchObject({ 'posix.bytes_read': 4, 'posix.range_start': 3, 'posix.client_wait_ms': 0 })
    expect([...readSyscalls(span?.syscalls ?? new Float64Array())]).toMatchObject([{ name: 'sendfile', offset: 3, bytes: 4 }])
    close(socket, client)
  })

  it('comes after what was written to the socket before', async () => {
    writeFileSync(f.path('file'), 'body')
    const { socket, client } = await pair()
    const received = readAll(client)
    await new Promise<void>((resolve) => socket.write('head ', () => resolve()))
    await send(socket, { length: 4 })
    socket.end(' tail')
    expect((await received).toString()).toBe('head body tail')
    close(socket, client)
  })

  it('waits for a slow reader and says how long', async () => {
    const length = 20_000_000
    writeFileSync(f.path('file'), Buffer.alloc(length))
    const { socket, client } = await pair()
    client.pause()
    const sending = send(socket, { length })
    await vi.waitFor(() => expect(f.io.stats()).toMatchObject({ sending: 1, running: 0, queued: 0 }), 60_000)
    await sleep(150)
    const received = readAll(client)
    const { clientWaitNs, ioNs, bytes } = await sending
    socket.end()
    expect(bytes).toBe(length)
    expect((await received).length).toBe(length)
    expect(clientWaitNs).toBeGreaterThan(100e6)
    expect(ioNs).toBeGreaterThan(0)
    const [span] = f.span.recorder.spans.slice(1)
    const calls = [...readSyscalls(span?.syscalls ?? new Float64Array())]
    expect(calls.length).toBeLessThanOrEqual(32)
    expect(calls.reduce((sum, call) => sum + (call.bytes ?? 0), 0)).toBe(length)
    close(socket, client)
  })

  it('gives up a reader that stalls', async () => {
    writeFileSync(f.path('file'), Buffer.alloc(20_000_000))
    const { socket, client } = await pair()
    client.pause()
    const start = performance.now()
    const error = await failureOf(send(socket, { length: 20_000_000, stallMs: 100 }))
    expect(error).toMatchObject({ errno: ETIMEDOUT, syscall: 'sendfile' })
    expect(performance.now() - start).toBeGreaterThan(90)
    expect(f.span.recorder.spans[1]?.failure?.type).toBe('ETIMEDOUT')
    close(socket, client)
  })

  it('ends when it is cancelled, waiting or not', async () => {
    writeFileSync(f.path('file'), Buffer.alloc(50_000_000))
    const { socket, client } = await pair()
    client.pause()
    const abort = new AbortController()
    const waiting = failureOf(send(socket, { length: 50_000_000, signal: abort.signal }))
    await sleep(50)
    abort.abort()
    expect(await waiting).toMatchObject({ errno: ECANCELED })
    expect(await failureOf(send(socket, { length: 50_000_000, signal: abort.signal }))).toMatchObject({ errno: ECANCELED })
    close(socket, client)
  })

  it('fails when the client goes in the middle, without a signal', async () => {
    writeFileSync(f.path('file'), Buffer.alloc(50_000_000))
    const { socket, client } = await pair()
    client.pause()
    const sending = failureOf(send(socket, { length: 50_000_000 }))
    await sleep(30)
    client.resetAndDestroy()
    expect([EPIPE, ECONNRESET]).toContain((await sending).errno)
    close(socket)
  })

  it('sends on after our own end has closed the socket, to that client and no other', async () => {
    writeFileSync(f.path('file'), Buffer.alloc(8_000_000, 'f'))
    const { socket, client } = await pair()
    client.pause()
    const sending = send(socket, { length: 8_000_000 }).then(
      () => 'sent',
      () => 'failed',
    )
    await sleep(20)
    socket.destroy()
    const others = await Promise.all(Array.from({ length: 5 }, () => pair()))
    const strays = others.map((other) => readAll(other.client))
    const received = readAll(client)
    await sending
    await received
    for (const other of others) other.socket.end()
    expect((await Promise.all(strays)).map((bytes) => bytes.length)).toEqual([0, 0, 0, 0, 0])
    for (const other of others) close(other.socket, other.client)
    close(client)
  })

  it('reports a file that is shorter than promised', async () => {
    writeFileSync(f.path('file'), Buffer.alloc(1000))
    truncateSync(f.path('file'), 400)
    const { socket, client } = await pair()
    const received = readAll(client)
    expect(await failureOf(send(socket, { length: 1000 }))).toMatchObject({ errno: EIO })
    socket.destroy()
    expect((await received.catch(() => Buffer.alloc(400))).length).toBe(400)
    close(client)
  })

  it('closes the file also where the socket is none', async () => {
    writeFileSync(f.path('file'), 'x')
    const file = openSync(f.path('file'), 'r')
    const request = { socketFd: 9_999, file, offset: 0, length: 1, stallMs: 1000, signal: undefined }
    expect(await failureOf(f.io.sendFile(f.span, request))).toMatchObject({ errno: EBADF })
  })

  it('reports a disk that cannot be read', async () => {
    writeFileSync(f.path('file'), 'x')
    const { socket, client } = await pair()
    f.io.faults.set({ call: 'sendfile', errno: EIO })
    expect(await failureOf(send(socket, { length: 1 }))).toMatchObject({ errno: EIO })
    close(socket, client)
  })

  it('has 200 stalled readers and still serves others at once', async () => {
    writeFileSync(f.path('file'), Buffer.alloc(10_000_000))
    const before = countFiles()
    const stalled = await Promise.all(Array.from({ length: 200 }, () => pair()))
    for (const { client } of stalled) client.pause()
    const abort = new AbortController()
    setMaxListeners(0, abort.signal)
    const sends = stalled.map(({ socket }) => failureOf(send(socket, { length: 10_000_000, signal: abort.signal })))
    await vi.waitFor(() => expect(f.io.stats()).toMatchObject({ sending: 200, running: 0, queued: 0 }), 60_000)

    // Did they keep the threads, they would end by their time before these two, and not as cancelled.
    const chain = f.chain()
    chain.statAt(f.root, 'file')
    await chain.run()
    const { socket, client } = await pair()
    const received = readAll(client)
    await send(socket, { length: 1_000_000 })
    socket.end()
    expect((await received).length).toBe(1_000_000)

    abort.abort()
    expect(new Set((await Promise.all(sends)).map((error) => error.errno))).toEqual(new Set([ECANCELED]))
    close(socket, client)
    for (const each of stalled) close(each.socket, each.client)
    await vi.waitFor(() => expect(countFiles()).toBeLessThanOrEqual(before), 60_000)
  })

  it('is fair: a small file overtakes large ones', async () => {
    writeFileSync(f.path('file'), Buffer.alloc(64_000_000))
    const large = await Promise.all(Array.from({ length: 12 }, () => pair()))
    const sends = large.map(async ({ socket, client }) => {
      client.resume()
      await send(socket, { length: 64_000_000 })
      return performance.now()
    })
    const { socket, client } = await pair()
    client.resume()
    await send(socket, { length: 1000 })
    const smallEnd = performance.now()
    const ends = await Promise.all(sends)
    expect(smallEnd).toBeLessThan(Math.max(...ends))
    for (const each of [...large, { socket, client }]) close(each.socket, each.client)
  })
})
