import { describe, expect, test } from 'vitest'
import { FormReader } from './form-reader.ts'

/** RFC 7578 and RFC 2046, 5.1.1; contract 4.5: "bad framing → MalformedPOSTRequest; fields after `file` are ignored". */
const part = (name: string, value: string, more = ''): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
const file = (bytes: string): string => part('file', bytes, '; filename="f"')
const END = '--b--\r\n'

function read(body: string, size = body.length): { fields: object; file: string } {
  const reader = new FormReader('b')
  const pieces: Buffer[] = []
  const bytes = Buffer.from(body, 'latin1')
  for (let at = 0; at < bytes.length; at += size)
    reader.push(bytes.subarray(at, at + size), (piece) => void pieces.push(piece))
  reader.finish()
  const text = Buffer.concat(pieces).toString('latin1')
  return { fields: Object.fromEntries(reader.fields), file: text }
}

describe('a form', () => {
  test('is the same however it is cut', () => {
    const bytes = 'x\r\n--\r\n--bc\r\n--b-\r\r\n--b \tz\r\n--'
    const body = `preamble\r\n${part('Key', 'a\r\n--b x')}${part('e', '')}${file(bytes)}${END}`
    for (let size = 1; size <= body.length; size++)
      expect([size, read(body, size)]).toEqual([
        size,
        { fields: { key: 'a\r\n--b x', e: '' }, file: bytes },
      ])
  })

  test('may have no bytes in its file, blanks behind a boundary, parts that are no fields', () => {
    const odd = '--b \t\r\nContent-Disposition: attachment; name="key"\r\n\r\nx\r\n--b\r\n\r\ny\r\n'
    expect(read(odd + part('key', 'k') + file('') + END)).toEqual({
      fields: { key: 'k' },
      file: '',
    })
  })

  test('ends with its file: what follows is not looked at', () => {
    const body = part('key', 'k') + file('x') + part('key', 'other') + 'rubbish'
    expect(read(body)).toEqual({ fields: { key: 'k' }, file: 'x' })
  })

  test.each([
    ['no boundary', 'x'],
    ['only its end', END],
    ['no end', part('key', 'k')],
    ['a file without its end', `${part('key', 'k')}${file('x')}`.slice(0, -2)],
    ['line feeds alone', (part('key', 'k') + file('x') + END).replaceAll('\r', '')],
    ['a header without a colon', `--b\r\nContent-Disposition\r\n\r\nx\r\n${file('x')}${END}`],
    ['a field twice', part('key', 'k') + part('KEY', 'l') + file('x') + END],
    ['a head without end', `--b\r\nX: ${'x'.repeat(9000)}`],
    [
      'more fields than can be meant',
      Array.from({ length: 1001 }, (_, i) => part(`f${i}`, '')).join('') + END,
    ],
  ])('of %s is refused', (_, body) => {
    for (const size of [1, 7, body.length])
      expect(() => read(body, size)).toThrow(
        expect.objectContaining({ code: 'MalformedPOSTRequest' }),
      )
  })

  test('holds at most a mebibyte before its file, and takes tiny pieces of that in its stride', () => {
    const body = part('key', 'x'.repeat(1024 * 1024)) + file('x') + END
    expect(() => read(body, 1)).toThrow(
      expect.objectContaining({ code: 'MaxMessageLengthExceeded' }),
    )
    expect(read(part('key', 'x'.repeat(1_000_000)) + file('y') + END).file).toBe('y')
  })
})
