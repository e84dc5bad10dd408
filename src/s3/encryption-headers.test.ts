import { describe, expect, test } from 'vitest'
import { requestOf } from '../../test/support/requests.ts'
import { checkEncryptionHeaders } from './encryption-headers.ts'

const KEY = 'pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs='
const MD5 = 'DWygnHRtgiJ77HCm+1rvHw=='

function check(headers: Record<string, string>, method = 'PUT'): void {
  const named = Object.entries(headers).map(
    ([name, value]) => [`x-amz-server-side-encryption${name}`, value] as const,
  )
  checkEncryptionHeaders(requestOf({ method, target: '/b/k', headers: named }))
}

const CUSTOMER = {
  '-customer-algorithm': 'AES256',
  '-customer-key': KEY,
  '-customer-key-md5': MD5,
}

describe('Amazon S3 API reference: headers about server-side encryption', () => {
  test.each([
    [{}],
    [{ '': 'AES256' }],
    [{ '': 'aws:kms' }],
    [{ '': 'aws:kms', '-aws-kms-key-id': 'k' }],
    [CUSTOMER],
  ])('%j could be followed', (headers: Record<string, string>) => {
    expect(() => check(headers)).not.toThrow()
  })

  test.each([
    [{ '': 'aes:kms' }, 'not supported'],
    [{ '-aws-kms-key-id': 'k' }, 'requires HTTP header'],
    [{ '': 'AES256', '-aws-kms-key-id': 'k' }, 'requires HTTP header'],
    [{ ...CUSTOMER, '': 'AES256' }, 'incompatible'],
    [{ ...CUSTOMER, '': 'aws:kms' }, 'incompatible'],
    [{ '-customer-algorithm': 'AES256' }, 'secret key'],
    [{ '-customer-algorithm': 'AES256', '-customer-key': 'c2hvcnQ=' }, 'secret key'],
    [{ '-customer-algorithm': 'AES256', '-customer-key': KEY }, 'MD5'],
    [{ ...CUSTOMER, '-customer-key-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }, 'did not match'],
    [{ '-customer-key': KEY, '-customer-key-md5': MD5 }, 'encryption algorithm'],
    [{ ...CUSTOMER, '-customer-algorithm': 'DES' }, 'encryption algorithm'],
  ])('%j is refused', (headers: Record<string, string>, message) => {
    expect(() => check(headers)).toThrow(message)
  })

  test('the key is not told', () => {
    try {
      check({ ...CUSTOMER, '-customer-key-md5': 'AAAA' })
    } catch (error) {
      expect(JSON.stringify(error)).not.toContain(KEY)
      return
    }
    throw new Error('it passed')
  })

  test('who reads has nothing to ask for but his key', () => {
    expect(() => check({ '': 'aws:kms' }, 'GET')).toThrow('not supported for this operation')
    expect(() => check(CUSTOMER, 'GET')).not.toThrow()
  })
})
