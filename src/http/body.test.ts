import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Authentication } from '../auth/authenticate.ts'
import type { PieceSink } from '../backend/payload.ts'
import { S3Error } from '../s3/errors.ts'
import { BodyServer, STALL_MS, UNSIGNED, headOf, type Use } from '../../test/support/body-server.ts'

const CHUNKED: Authentication = {
  ...UNSIGNED,
  payload: 'streaming-unsigned-trailer',
  hasTrailer: true,
}
const server = new BodyServer()

const collected: Use = async (payload) => Buffer.concat(await payload.collect()).toString('latin1')
const CRC = 'x-amz-checksum-crc32'
const TRAILER = [`x-amz-trailer: ${CRC}`, 'x-amz-decoded-content-length: 5']

describe('a body that is the object', () => {
  test('of the declared length', async () => {
    expect(await server.send(`${headOf('Content-Length: 5')}hello`, collected)).toBe('hello')
  })

  test('of no bytes', async () => {
    expect(await server.send(headOf('Content-Length: 0'), collected)).toBe('')
  })

  test('contract 3.1: no Content-Length is 411', async () => {
    expect(await server.send(headOf(), collected)).toMatchObject({
      code: 'MissingContentLength',
      status: 411,
    })
    expect(
      await server.send(
        `${headOf('Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
        collected,
      ),
    ).toMatchObject({ code: 'MissingContentLength' })
  })

  test('contract 4.3: x-amz-decoded-content-length is its length; another one is 400', async () => {
    const te = `Transfer-Encoding: chunked`
    expect(
      await server.send(
        `${headOf(te, 'x-amz-decoded-content-length: 5')}5\r\nhello\r\n0\r\n\r\n`,
        collected,
      ),
    ).toBe('hello')
    for (const length of [4, 6]) {
      const outcome = await server.send(
        `${headOf('Content-Length: 5', `x-amz-decoded-content-length: ${length}`)}hello`,
        collected,
      )
      expect(outcome).toMatchObject({ code: 'IncompleteBody', status: 400 })
    }
  })

  test('contract 3.1: too large is refused before a byte is read', async () => {
    const outcome = await server.send(headOf('Content-Length: 10000001'), collected)
    expect(outcome).toMatchObject({
      code: 'EntityTooLarge',
      details: { ProposedSize: '10000001', MaxSizeAllowed: '10000000' },
    })
    expect(server.continues).toBe(0)
  })

  test('defect 1: the client leaves in the middle', async () => {
    const outcome = await server.send(`${headOf('Content-Length: 10')}hello`, collected, {
      after: (socket) => setTimeout(() => socket.destroy(), 30),
    })
    expect(outcome).toMatchObject({ code: 'IncompleteBody', status: 400 })
  })

  test('the client has left before the body is asked for', async () => {
    const late: Use = async (payload, incoming) => {
      await new Promise((resolve) => incoming.on('close', resolve))
      return payload.collect()
    }
    const outcome = await server.send(headOf('Content-Length: 10'), late, {
      after: (socket) => socket.destroy(),
    })
    expect(outcome).toMatchObject({ code: 'IncompleteBody' })
  })

  test('A22: a client that stalls is given up, one that is slow is not', async () => {
    const started = performance.now()
    const outcome = await server.send(`${headOf('Content-Length: 10')}hello`, collected)
    expect(outcome).toMatchObject({
      code: 'RequestTimeout',
      status: 400,
      headers: { Connection: 'close' },
    })
    expect(performance.now() - started).toBeGreaterThan(STALL_MS - 10)

    const drip = (socket: Socket): void => {
      let sent = 0
      const timer = setInterval(
        () => (++sent <= 6 ? socket.write('x') : clearInterval(timer)),
        STALL_MS / 4,
      )
    }
    expect(await server.send(headOf('Content-Length: 6'), collected, { after: drip })).toBe(
      'xxxxxx',
    )
  })

  test('it can be read once', async () => {
    const twice: Use = async (payload) => {
      await payload.collect()
      return payload.collect()
    }
    expect(await server.send(`${headOf('Content-Length: 5')}hello`, twice)).toBeInstanceOf(Error)
  })
})

test('Expect: 100-continue is answered when the body is asked for, not before', async () => {
  const before: number[] = []
  const asked: Use = async (payload) => {
    expect(payload.length).toBe(5)
    await new Promise((resolve) => setTimeout(resolve, 50))
    before.push(server.continues)
    return collected(payload, undefined as never)
  }
  const outcome = await server.send(headOf('Content-Length: 5', 'Expect: 100-continue'), asked, {
    after: (socket) =>
      socket.once('data', (bytes) => {
        expect(String(bytes)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
        socket.write('hello')
      }),
  })
  expect([outcome, before, server.continues]).toEqual(['hello', [0], 1])
})

describe('into a sink that is slow', () => {
  /** Full after each piece, until `release`. */
  class SlowSink implements PieceSink {
    onDrain: (() => void) | undefined
    bytes = 0
    readonly hash = createHash('md5')
    most = 0
    #held = 0
    write(piece: Buffer): boolean {
      this.bytes += piece.length
      this.hash.update(piece)
      this.#held += piece.length
      this.most = Math.max(this.most, this.#held)
      setTimeout(() => {
        this.#held = 0
        this.onDrain?.()
      }, 1)
      return false
    }
  }

  test('the socket waits, nothing is lost, and no more than a piece is held', async () => {
    const data = Buffer.alloc(3_000_000, 'abcdefg').toString('latin1')
    const sink = new SlowSink()
    let waited = -1
    const outcome = await server.send(
      headOf(`Content-Length: ${data.length}`) + data,
      async (payload) => {
        await payload.pump(sink)
        waited = payload.clientWaitNs
      },
    )
    expect(outcome).toBeUndefined()
    expect(sink.bytes).toBe(data.length)
    expect(sink.hash.digest('hex')).toBe(createHash('md5').update(data).digest('hex'))
    expect(sink.most).toBeLessThanOrEqual(65_536 * 2)
    expect(waited).toBeGreaterThanOrEqual(0)
  })

  test('its slowness is not the client stalling', async () => {
    const stuck: PieceSink = {
      onDrain: undefined,
      write: () => {
        setTimeout(() => stuck.onDrain?.(), 2 * STALL_MS)
        return false
      },
    }
    expect(
      await server.send(`${headOf('Content-Length: 5')}hello`, (payload) => payload.pump(stuck)),
    ).toBeUndefined()
  })

  test('time spent waiting for the client is counted', async () => {
    let waited = 0
    const timed: Use = async (payload) => {
      await payload.collect()
      waited = payload.clientWaitNs
    }
    await server.send(headOf('Content-Length: 5'), timed, {
      after: (socket) => setTimeout(() => socket.write('hello'), 100),
    })
    expect(waited / 1e6).toBeGreaterThan(80)
    expect(waited / 1e6).toBeLessThan(STALL_MS)
  })
})

describe('a body in aws-chunked', () => {
  const body = (crc: string) => `5\r\nhello\r\n0\r\n${CRC}:${crc}\r\n\r\n`

  test('gives its bytes, and its trailer as a check', async () => {
    const text = body('NhCmhg==')
    const outcome = await server.send(
      `${headOf(`Content-Length: ${text.length}`, ...TRAILER)}${text}`,
      async (payload) => {
        const kinds = payload.kinds
        const early = payload.checks().length
        const bytes = Buffer.concat(await payload.collect()).toString()
        return {
          kinds,
          early,
          bytes,
          length: payload.length,
          expected: payload.checks().map((check) => Buffer.from(check.expected).toString('hex')),
        }
      },
      { auth: CHUNKED },
    )
    expect(outcome).toEqual({
      kinds: ['crc32'],
      early: 0,
      bytes: 'hello',
      length: 5,
      expected: ['3610a686'],
    })
  })

  test('without a length of the transfer', async () => {
    const text = body('NhCmhg==')
    const bytes = `${headOf('Transfer-Encoding: chunked', ...TRAILER)}${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
    expect(await server.send(bytes, collected, { auth: CHUNKED })).toBe('hello')
  })

  test.each([
    ['no decoded length', [TRAILER[0] ?? ''], 'MissingContentLength', undefined],
    [
      'a decoded length that is none',
      [TRAILER[0] ?? '', 'x-amz-decoded-content-length: -1'],
      'MissingContentLength',
      undefined,
    ],
    [
      'a decoded length beyond all',
      [TRAILER[0] ?? '', 'x-amz-decoded-content-length: 99999999999'],
      'EntityTooLarge',
      undefined,
    ],
    [
      'no trailer announced',
      ['x-amz-decoded-content-length: 5'],
      'MalformedTrailerError',
      undefined,
    ],
    [
      'a trailer that is no checksum',
      ['x-amz-trailer: x-amz-meta-a', 'x-amz-decoded-content-length: 5'],
      'InvalidRequest',
      'The value specified in the x-amz-trailer header is not supported',
    ],
  ])('contract 4.3: %s', async (_, headers, code, message) => {
    const outcome = await server.send(
      `${headOf('Content-Length: 50', ...headers)}${body('NhCmhg==')}`,
      collected,
      { auth: CHUNKED },
    )
    expect(outcome).toMatchObject(message === undefined ? { code } : { code, message })
  })

  test('contract 4.3: a trailer value that is no checksum', async () => {
    const text = body('AAAA')
    const outcome = await server.send(
      `${headOf(`Content-Length: ${text.length}`, ...TRAILER)}${text}`,
      collected,
      { auth: CHUNKED },
    )
    expect(outcome).toMatchObject({
      code: 'InvalidRequest',
      message: `Value for ${CRC} trailing header is invalid.`,
    })
  })

  test('a trailer announced for a body that has no trailer', async () => {
    expect(
      await server.send(`${headOf('Content-Length: 5', `x-amz-trailer: ${CRC}`)}hello`, collected),
    ).toMatchObject({ code: 'InvalidRequest' })
  })

  test('A11: the client leaves in the middle of a chunk', async () => {
    const outcome = await server.send(
      `${headOf('Content-Length: 500', ...TRAILER)}5\r\nhel`,
      collected,
      {
        auth: CHUNKED,
        after: (socket) => setTimeout(() => socket.destroy(), 30),
      },
    )
    expect(outcome).toMatchObject({ code: 'IncompleteBody' })
  })

  test('A11: after a fault nothing more is handed on', async () => {
    const pieces: string[] = []
    const sink: PieceSink = { onDrain: undefined, write: (piece) => pieces.push(String(piece)) > 0 }
    const outcome = await server.send(
      `${headOf('Content-Length: 500', ...TRAILER)}5\r\nhello\r\nnonsense\r\n5\r\nworld`,
      (payload) => payload.pump(sink),
      { auth: CHUNKED },
    )
    expect(outcome).toBeInstanceOf(S3Error)
    expect(pieces.join('')).toBe('hello')
  })
})
