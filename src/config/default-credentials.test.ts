import { describe, expect, test } from 'vitest'
import { refuseWellKnown } from './default-credentials.ts'
import { listeners } from './values.ts'

const MINIO = { access: 'minioadmin', secret: 'minioadmin' }
const LINE =
  'the root credentials are well-known default ones: choose others, or listen on 127.0.0.1 only'

describe('A25: start is refused with default credentials on a public address', () => {
  test.each([
    ':7070',
    '0.0.0.0:7070',
    '[::]:7070',
    '192.0.2.1',
    'gateway.example.com:7070',
    '127.0.0.1:1,:2',
    '127.example.com',
  ])('%s', (text) => {
    expect(() => refuseWellKnown(MINIO, listeners(text))).toThrow(LINE)
  })

  test.each([
    { access: 'admin', secret: 'admin' },
    { access: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
  ])('$access', (root) => {
    expect(() => refuseWellKnown(root, listeners(':7070'))).toThrow(LINE)
  })

  test.each(['127.0.0.1:7070', '127.9.9.9', 'localhost:7070', '[::1]:7070', './gateway.sock'])(
    'not on %s, which this host alone reaches',
    (text) => {
      expect(() => refuseWellKnown(MINIO, listeners(text))).not.toThrow()
    },
  )

  test('not with a secret of its own', () => {
    const root = { access: 'minioadmin', secret: 'x7Jq0cV2' }
    expect(() => refuseWellKnown(root, listeners(':7070'))).not.toThrow()
  })
})
