import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { whileTesting } from '../../test/support/listening.ts'
import { RequestMessage, type BodyTaker } from './request-message.ts'

let serve: (incoming: RequestMessage, outgoing: ServerResponse) => unknown = () => {}
const server = createServer({ IncomingMessage: RequestMessage }, (incoming, outgoing) =>
  serve(incoming, outgoing),
)
const port = whileTesting(server)

class Log implements BodyTaker {
  readonly told: string[] = []
  hasRoom = true

  take(bytes: Buffer): boolean {
    this.told.push(bytes.length > 20 ? String(bytes.length) : bytes.toString())
    return this.hasRoom
  }

  end(): void {
    this.told.push('end')
  }

  fail(): void {
    this.told.push('fail')
  }
}

async function connection(bytes: string): Promise<{ socket: Socket; text: () => string }> {
  const socket = connect(port(), '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (piece) => (text += piece))
  socket.on('error', () => {})
  socket.write(bytes)
  await once(socket, 'connect')
  return { socket, text: () => text }
}

const PUT = 'PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n'
const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'

/** What a taker is told of these bytes, sent one after the other, where it comes `afterMs` late. */
async function toldOf(pieces: readonly string[], afterMs?: number): Promise<string[]> {
  const log = new Log()
  const taken = new Promise<RequestMessage>((resolve) => {
    serve = (incoming) => {
      if (afterMs === undefined) incoming.takeBody(log)
      else setTimeout(() => incoming.takeBody(log), afterMs)
      resolve(incoming)
    }
  })
  const { socket } = await connection(pieces[0] ?? '')
  const incoming = await taken
  for (const piece of pieces.slice(1)) {
    await sleep(20)
    socket.write(piece)
  }
  await expect.poll(() => log.told).toContain('end')
  // Nothing comes after.
  await sleep(40)
  expect(incoming.readableEnded).toBe(log.told.includes('end'))
  socket.destroy()
  return log.told
}

describe('a taker', () => {
  test('at once', async () => {
    expect(await toldOf([`${PUT}hello`])).toEqual(['hello', 'end'])
    expect(await toldOf([PUT, 'he', 'llo'])).toEqual(['he', 'llo', 'end'])
    expect(await toldOf([GET])).toEqual(['end'])
  })

  test('that comes late', async () => {
    expect(await toldOf([`${PUT}hello`], 30)).toEqual(['hello', 'end'])
    expect(await toldOf([`${PUT}he`, 'llo'], 80)).toEqual(['he', 'llo', 'end'])
    expect(await toldOf([PUT, 'he', 'llo'], 30)).toEqual(['he', 'llo', 'end'])
    expect(await toldOf([GET], 30)).toEqual(['end'])
  })

  test('is told once that the client has gone', async () => {
    const log = new Log()
    serve = (incoming) => incoming.takeBody(log)
    const { socket } = await connection(`${PUT}he`)
    await expect.poll(() => log.told).toEqual(['he'])
    socket.destroy()
    await expect.poll(() => log.told).toContain('fail')
    await sleep(30)
    expect(log.told).toEqual(['he', 'fail'])
  })

  test('that is full stops the client until it has room', async () => {
    const log = new Log()
    log.hasRoom = false
    const taken = new Promise<RequestMessage>((resolve) => {
      serve = (incoming) => {
        incoming.takeBody(log)
        resolve(incoming)
      }
    })
    const size = 8_000_000
    const { socket } = await connection(
      `PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`,
    )
    socket.write(Buffer.alloc(size))
    const incoming = await taken
    const bytes = (): number => log.told.reduce((sum, text) => sum + (Number(text) || 0), 0)
    await sleep(50)
    expect(bytes()).toBeLessThanOrEqual(131_072)
    expect(socket.writableLength).toBeGreaterThan(0)
    log.hasRoom = true
    incoming.resumeBody()
    while (!log.told.includes('end')) await sleep(5)
    expect(bytes()).toBe(size)
    socket.destroy()
  })
})

describe('without a taker', () => {
  test('it is a stream like any other', async () => {
    for (const [pieces, waitMs] of [
      [[`${PUT}hello`], 0],
      [[`${PUT}hello`], 20],
      [[PUT, 'he', 'llo'], 30],
    ] as const) {
      const text = new Promise<string>((resolve) => {
        serve = async (incoming) => {
          if (waitMs > 0) await sleep(waitMs)
          let all = ''
          for await (const piece of incoming) all += String(piece)
          resolve(all)
        }
      })
      const { socket } = await connection(pieces[0])
      for (const piece of pieces.slice(1)) {
        await sleep(20)
        socket.write(piece)
      }
      expect(await text).toBe('hello')
      socket.destroy()
    }
  })

  test.each([
    ['none', GET],
    ['one that came with its head', `${PUT}hello`],
    [
      'one in chunks',
      'PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    ],
  ])('Node throws away what is left, and the connection goes on: %s', async (_, request) => {
    for (const waitMs of [0, 20]) {
      serve = (_incoming, outgoing) => void setTimeout(() => outgoing.end('ok'), waitMs)
      const { socket, text } = await connection(request + request)
      const answers = (): number => text().split('200 OK').length - 1
      await expect.poll(answers).toBe(2)
      // Long enough for what is left to be thrown away.
      await sleep(waitMs + 20)
      socket.write(GET)
      await expect.poll(answers).toBe(3)
      socket.destroy()
    }
  })

  test('a large one that is left after its beginning is thrown away as a stream', async () => {
    const size = 3_000_000
    const head = `PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`
    const log = new Log()
    serve = (incoming, outgoing) => {
      if (incoming.method === 'GET') {
        outgoing.end('ok')
        return
      }
      incoming.takeBody(log)
      setTimeout(() => {
        incoming.cutBody(undefined)
        incoming.resume()
        outgoing.end('early')
      }, 20)
    }
    const { socket, text } = await connection(head)
    socket.write(Buffer.alloc(1000))
    await sleep(50)
    socket.write(Buffer.alloc(size - 1000))
    socket.write(GET)
    while (!text().endsWith('ok\r\n0\r\n\r\n') && !text().endsWith('ok')) await sleep(10)
    expect(log.told).toEqual(['1000', 'fail'])
    socket.destroy()
  })
})
