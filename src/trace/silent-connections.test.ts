import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endSilentConnections } from './silent-connections.ts'

const LIMIT_MS = 100
const MAX_CONNECTIONS = 3

let server: Server
let stop: () => void

beforeEach(async () => {
  server = createServer((socket) => socket.on('data', (bytes) => socket.write(bytes)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stop = endSilentConnections(LIMIT_MS, MAX_CONNECTIONS)
})
afterEach(async () => {
  stop()
  server.close()
  await once(server, 'close')
})

async function connected(): Promise<Socket> {
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

test('a connection on which nothing comes is ended', async () => {
  const began = performance.now()
  const socket = await connected()
  await once(socket, 'close')
  expect(performance.now() - began).toBeGreaterThan(LIMIT_MS - 10)
})

test('one on which something came is left alone, however idle it is then', async () => {
  const socket = await connected()
  socket.write('a')
  await once(socket, 'data')
  await new Promise((resolve) => setTimeout(resolve, 3 * LIMIT_MS))
  expect(socket.destroyed).toBe(false)
  socket.destroy()
})

test('of those on which something came the oldest is ended where there are too many', async () => {
  stop()
  stop = endSilentConnections(60_000, MAX_CONNECTIONS)
  const sockets: Socket[] = []
  const areDestroyed = (): boolean[] => sockets.map((socket) => socket.destroyed)
  for (let i = 0; i <= MAX_CONNECTIONS; i++) {
    const socket = await connected()
    socket.write('a')
    await once(socket, 'data')
    sockets.push(socket)
  }
  expect(areDestroyed()).toEqual([true, false, false, false])
  // One that went by itself counts no more.
  for (const socket of sockets.slice(1, 2)) await once(socket.destroy(), 'close')
  sockets.push(await connected())
  expect(areDestroyed()).toEqual([true, true, false, false, false])
  for (const socket of sockets) socket.destroy()
})
