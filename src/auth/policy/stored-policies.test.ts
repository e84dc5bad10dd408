import { describe, expect, test } from 'vitest'
import { evaluatePolicy } from './evaluate.ts'
import type { AccessRequest } from './policy.ts'
import { createStoredPolicies } from './stored-policies.ts'

const request: AccessRequest = {
  principal: 'alice',
  action: 's3:GetObject',
  bucket: 'b',
  key: 'k',
  conditionValues: () => undefined,
}

function policy(effect: string, sid = ''): Buffer {
  return Buffer.from(
    `{"Statement":[{"Sid":"${sid}","Effect":"${effect}","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}]}`,
  )
}

describe('stored policies', () => {
  test('are compiled once, as long as the bytes are the same', () => {
    const stored = createStoredPolicies()
    const first = stored.read('b', policy('Allow'))
    expect(stored.read('b', policy('Allow'))).toBe(first)
    expect(evaluatePolicy(stored.read('b', policy('Deny')), request)?.effect).toBe('deny')
    expect(evaluatePolicy(stored.read('b', policy('Allow')), request)?.effect).toBe('allow')
  })

  test('do not change with the memory they were read from', () => {
    const stored = createStoredPolicies()
    const bytes = policy('Allow')
    const first = stored.read('b', bytes)
    bytes.fill(0x20)
    expect(stored.read('b', policy('Allow'))).toBe(first)
  })

  test('are forgotten, oldest first, beyond a limit', () => {
    const stored = createStoredPolicies(2 * policy('Allow').length)
    const first = stored.read('first', policy('Allow'))
    const second = stored.read('second', policy('Allow'))
    stored.read('third', policy('Allow'))
    expect(stored.read('second', policy('Allow'))).toBe(second)
    expect(stored.read('first', policy('Allow'))).not.toBe(first)
  })

  test.each(['', 'x', '{', '{"Statement":[]}', '{"Statement":[{"Action":"s3:Foo"}]}'])(
    'that nobody can read deny everything: %j',
    (text) => {
      const unreadable = createStoredPolicies().read('b', Buffer.from(text))
      const denied = { effect: 'deny', statement: 'unreadable policy' }
      expect(evaluatePolicy(unreadable, request)).toEqual(denied)
      const bucketRequest = { ...request, key: undefined, principal: undefined, action: 's3:New' }
      expect(evaluatePolicy(unreadable, bucketRequest)).toEqual(denied)
    },
  )
})
