import { describe, expect, test } from 'vitest'
import { readRejectedSpans, readRejectedSpansOfJson } from './otlp-response.ts'

describe('partial success (OTLP)', () => {
  test.each([
    ['no answer', [], 0],
    ['an empty partial success', [0x0a, 0], 0],
    ['17 rejected spans', [0x0a, 2, 0x08, 17], 17],
    ['300 rejected spans after a message', [0x0a, 6, 0x12, 1, 0x41, 0x08, 0xac, 0x02], 300],
    [
      'fields it does not know',
      [0x12, 1, 0x41, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x0a, 2, 0x08, 5],
      5,
    ],
    ['an answer cut short', [0x0a, 200], 0],
    ['a varint cut short', [0xff], 0],
  ])('%s', (_, bytes, expected) => {
    expect(readRejectedSpans(Uint8Array.from(bytes))).toBe(expected)
  })

  test.each([
    ['', 0],
    ['{}', 0],
    ['{"partialSuccess":{}}', 0],
    ['{"partialSuccess":{"rejectedSpans":"17","errorMessage":"x"}}', 17],
    ['{"partialSuccess":{"rejectedSpans":17}}', 17],
    ['{"partialSuccess":{"rejectedSpans":"-1"}}', 0],
    ['{"partialSuccess":null}', 0],
    ['<html>', 0],
  ])('in JSON: %s', (text, expected) => {
    expect(readRejectedSpansOfJson(Buffer.from(text))).toBe(expected)
  })
})
