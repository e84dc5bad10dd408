import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { whileTesting } from '../../test/support/listening.ts'
import type { S3Response } from '../s3/operation.ts'
import { Recorder } from '../trace/recorder.ts'
import { joinHead, writeHead } from './answer-head.ts'

let answer: (outgoing: ServerResponse) => void = () => {}
const server = createServer({ keepAliveTimeout: 75_000 }, (_, outgoing) => answer(outgoing))
const port = whileTesting(server)

const recorder = new Recorder(false, undefined)

/** The bytes that come back, the date left out: one character each. */
async function bytesOf(give: (outgoing: ServerResponse) => void, request: string): Promise<string> {
  answer = give
  const socket = connect(port(), '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (piece) => {
    text += piece
    if (text.includes('\r\n\r\n')) setTimeout(() => socket.destroy(), 20)
  })
  socket.write(request)
  await once(socket, 'close')
  return text.replace(/Date: [^\r]+/, 'Date')
}

/** The same answer, given by Node alone. */
function byNode(outgoing: ServerResponse): ServerResponse {
  Reflect.set(outgoing, '_keepAliveTimeout', String(Reflect.get(outgoing, '_keepAliveTimeout')))
  return outgoing
}

describe('byte by byte what Node writes', () => {
  const answers: [what: string, response: S3Response, length: number | undefined][] = [
    ['a status alone', { status: 200 }, 0],
    ['204', { status: 204 }, undefined],
    ['304', { status: 304, headers: ['ETag', '"e"'] }, undefined],
    ['an odd status', { status: 299 }, 0],
    ['headers', { status: 206, headers: ['Content-Range', 'bytes 0-1/2', 'x-amz-meta-a', ''] }, 0],
    ['bytes above ASCII', { status: 200, headers: ['x-amz-meta-a', 'gr\xc3\xbc\xc3\x9fe\t.'] }, 0],
    ['a document', { status: 404, body: '<Error/>' }, 8],
    ['Connection: close', { status: 400, headers: ['Connection', 'close'] }, 0],
    ['a date of its own', { status: 200, headers: ['date', 'x'] }, 0],
  ]
  const requests = [
    'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    'HEAD / HTTP/1.1\r\nHost: h\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    'GET / HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  ]
  test.each(answers)('%s', async (_, response, length) => {
    for (const request of requests)
      for (const closes of [false, true]) {
        const give = (outgoing: ServerResponse): void => {
          writeHead(outgoing, response, { recorder, closes }, length)
          outgoing.end(typeof response.body === 'string' ? response.body : undefined)
        }
        const ours = await bytesOf(give, request)
        expect(ours).toMatch(/^HTTP\/1\.1 \d{3} \w/)
        expect(ours).toBe(await bytesOf((outgoing) => give(byNode(outgoing)), request))
      }
  })

  test('a body joined to its head', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const text = await bytesOf((outgoing) => {
      writeHead(outgoing, { status: 200 }, { recorder, closes: false }, bytes.length)
      expect(joinHead(outgoing, bytes)).toBe(true)
      outgoing.end()
    }, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(bytes.toString('latin1'))
  })
})

describe('what no header may hold is never sent (RFC 9110, 5.5)', () => {
  test.each([
    ['a line of its own', 'x-a', 'b\r\nX-Injected: 1'],
    ['an end of the head', 'x-a', 'b\r\n\r\n<html>'],
    ['LF', 'x-a', 'b\nX-Injected: 1'],
    ['CR', 'x-a', 'b\rc'],
    ['NUL', 'x-a', 'b\0c'],
    ['DEL', 'x-a', 'b\x7fc'],
    ['a character of more than a byte, which latin1 would make a line end', 'x-a', 'b\u010d\u010a'],
    ['a line end in a name', 'x-a\r\nX-Injected', '1'],
    ['a colon in a name', 'x-a: b', '1'],
    ['a space in a name', 'x a', '1'],
    ['no name', '', '1'],
    ['a name beyond a byte', 'x-\u010a', '1'],
  ])('%s', async (_, name, value) => {
    const text = await bytesOf((outgoing) => {
      const response = { status: 200, headers: ['ETag', '"e"', name, value] }
      const give = (): void => writeHead(outgoing, response, { recorder, closes: false }, 0)
      // Twice: names that were seen once are remembered.
      expect(give).toThrow(/Invalid character|must be a valid HTTP token/)
      expect(give).toThrow(/Invalid character|must be a valid HTTP token/)
      expect(outgoing.headersSent).toBe(false)
      outgoing.end()
    }, 'GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    expect(text.toLowerCase()).not.toContain('injected')
  })
})
