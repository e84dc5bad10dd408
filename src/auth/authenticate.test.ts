import { describe, expect, test } from 'vitest'
import {
  ACCESS,
  EMPTY,
  GET_RANGE,
  HOST,
  authenticate,
  authorization,
  presigned,
} from '../../test/support/documented-requests.ts'
import { requestOf } from '../../test/support/requests.ts'
import { type AuthFacts } from './authenticate.ts'

describe('Amazon S3 API reference, "Examples: Signature Calculations in AWS Signature Version 4"', () => {
  test('GET object with a range', () => {
    const facts: AuthFacts = {}
    const { identity, method, payload } = authenticate(requestOf(GET_RANGE), 'GetObject', facts)
    expect(identity).toEqual({
      accessKey: ACCESS,
      role: 'admin',
      isRoot: true,
      userId: 0,
      groupId: 0,
    })
    expect({ method, payload }).toEqual({ method: 'header', payload: 'signed' })
    expect(facts).toEqual({ method: 'header', payload: 'signed', accessKey: ACCESS })
  })

  test('PUT object with an escaped key', () => {
    const sha256 = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072'
    const found = authenticate(
      requestOf({
        method: 'PUT',
        target: '/test%24file.text',
        headers: {
          Host: HOST,
          Date: 'Fri, 24 May 2013 00:00:00 GMT',
          'x-amz-date': '20130524T000000Z',
          'x-amz-storage-class': 'REDUCED_REDUNDANCY',
          'x-amz-content-sha256': sha256,
          Authorization: authorization(
            'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
            '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
          ),
        },
      }),
      'PutObject',
    )
    expect(found.declaredSha256?.toString('hex')).toBe(sha256)
  })

  test.each([
    ['/?lifecycle', 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
    ['/?max-keys=2&prefix=J', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
    ['/?prefix=J&max-keys=2', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
  ])('GET bucket %s', (target, signature) => {
    const found = authenticate(
      requestOf({
        target,
        headers: {
          Host: HOST,
          'x-amz-date': '20130524T000000Z',
          'x-amz-content-sha256': EMPTY,
          Authorization: authorization('host;x-amz-content-sha256;x-amz-date', signature),
        },
      }),
      'ListObjects',
    )
    expect(found.method).toBe('header')
  })

  test('presigned GET', () => {
    const { method, payload } = authenticate(requestOf(presigned()))
    expect({ method, payload }).toEqual({ method: 'presigned', payload: 'unsigned' })
  })
})

describe('anonymous callers', () => {
  test.each([
    [undefined, 'unsigned'],
    ['UNSIGNED-PAYLOAD', 'unsigned'],
    [EMPTY, 'signed'],
    ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'streaming-unsigned-trailer'],
  ])('contract 4.6: payload hash %s', (value, payload) => {
    const headers: Record<string, string> =
      value === undefined ? {} : { 'x-amz-content-sha256': value }
    const found = authenticate(requestOf({ method: 'PUT', target: '/b/k', headers }), 'PutObject')
    expect(found).toMatchObject({
      method: 'anonymous',
      payload,
      identity: { accessKey: undefined, isRoot: false },
    })
  })

  test('an empty Authorization header is none', () => {
    const found = authenticate(requestOf({ headers: { Authorization: '' } }))
    expect(found.method).toBe('anonymous')
  })

  test.each([
    ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'InvalidRequest'],
    ['STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD', 'InvalidRequest'],
    ['abc', 'InvalidArgument'],
  ])('contract 4.1: refusal comes before what is wrong with %s', (value, code) => {
    const headers = { 'x-amz-content-sha256': value }
    const found = authenticate(requestOf({ method: 'PUT', target: '/b/k', headers }), 'PutObject')
    expect(found.payloadFault?.code).toBe(code)
  })

  test.each(['CreateBucket', 'DeleteObjects', 'CompleteMultipartUpload', 'CopyObject'])(
    'A10: an unsigned trailer is for uploads only, not for %s',
    (operation) => {
      const headers = { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }
      const { payloadFault } = authenticate(requestOf({ headers }), operation)
      expect(payloadFault?.code).toBe('InvalidRequest')
    },
  )
})
