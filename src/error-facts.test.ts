import { describe, expect, test } from 'vitest'
import { errorFacts } from './error-facts.ts'

const CANARY = 'canary-c0ffee'

function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

describe('an error is told without what it quotes', () => {
  test.each([
    ['a body that is no JSON', () => JSON.parse(`{"secret": ${CANARY}}`)],
    ['a URL, which the error has as a property', () => new URL(`/${CANARY}`)],
    ['an argument', () => Buffer.alloc(CANARY as unknown as number)],
    ['a header', () => new Headers({ [`x ${CANARY}`]: 'v' })],
    [
      'a cause',
      () => {
        throw new Error('outer', { cause: thrownBy(() => JSON.parse(CANARY)) })
      },
    ],
    [
      'a name',
      () => {
        throw Object.assign(new Error('named'), { name: `${CANARY} x`, code: `${CANARY} x` })
      },
    ],
    [
      'a URL in a message',
      () => {
        throw new Error(`GET http://host/b/k?X-Amz-Signature=${CANARY} failed`)
      },
    ],
    [
      'something long that may be a key',
      () => {
        throw new Error(`key canaryc0ffee${'A1b2'.repeat(8)} is wrong`)
      },
    ],
    [
      'what is no error',
      () => {
        // oxlint-disable-next-line only-throw-error -- libraries do
        throw `${CANARY} as text`
      },
    ],
  ])('%s', (_, run) => {
    const text = JSON.stringify(errorFacts(thrownBy(run)))
    expect(text).not.toMatch(/canary-?c0ffee/)
  })
})

test('what is left says what went wrong, and where', () => {
  const cause = Object.assign(new Error('openat2: EIO'), {
    code: 'EIO',
    syscall: 'openat2',
    errno: 5,
  })
  const facts = errorFacts(new TypeError('no such thing', { cause }))
  expect(facts).toMatchObject({
    type: 'TypeError',
    message: 'no such thing',
    cause: { type: 'Error', message: 'openat2: EIO', code: 'EIO', syscall: 'openat2' },
  })
  expect(facts.stack[0]).toMatch(/^at .*error-facts\.test\.ts:\d+:\d+/)
})

test('a chain of causes that ends nowhere is cut', () => {
  const error = new Error('round')
  error.cause = error
  expect(JSON.stringify(errorFacts(error)).match(/round/g)).toHaveLength(6)
})
