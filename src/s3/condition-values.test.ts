import { describe, expect, test } from 'vitest'
import { requestOf, type RequestHead } from '../../test/support/requests.ts'
import type { Authentication } from '../auth/authenticate.ts'
import { conditionValues, type ConditionFacts } from './condition-values.ts'

const BY_HEADER: Authentication = {
  identity: { accessKey: 'alice', role: 'user', isRoot: false },
  method: 'header',
  payload: 'unsigned',
  hasTrailer: false,
  declaredSha256: undefined,
  streaming: undefined,
}
const ANONYMOUS: Authentication = {
  ...BY_HEADER,
  identity: { accessKey: undefined, role: undefined, isRoot: false },
  method: 'anonymous',
}
const NOW = Date.UTC(2026, 10, 21, 12, 0, 0)

function valuesOf(head: RequestHead, facts: Partial<ConditionFacts> = {}) {
  return conditionValues({
    request: requestOf(head),
    authentication: BY_HEADER,
    region: 'eu-central-2',
    versionId: undefined,
    existingTags: undefined,
    bodyTags: undefined,
    nowMs: NOW,
    ...facts,
  })
}

describe('condition keys of AWS', () => {
  const headers = {
    Host: 'h',
    'User-Agent': 'agent/1',
    Referer: 'http://example.com/',
    'x-amz-date': '20261121T115930Z',
    'x-amz-acl': 'public-read',
    'x-amz-grant-read': 'bob, carol',
    'x-amz-copy-source': '/b/k',
    'x-amz-metadata-directive': 'REPLACE',
    'x-amz-storage-class': 'GLACIER',
    'x-amz-object-lock-mode': 'GOVERNANCE',
    'x-amz-object-lock-legal-hold': 'ON',
    'x-amz-object-lock-retain-until-date': '2026-11-23T00:00:00Z',
  }
  const target = '/bkt?prefix=a%2Fb&delimiter=%2F&max-keys=7'
  test.each([
    ['aws:currenttime', '2026-11-21T12:00:00.000Z'],
    ['aws:epochtime', String(NOW / 1000)],
    ['aws:principaltype', 'User'],
    ['aws:referer', 'http://example.com/'],
    ['aws:requestedregion', 'eu-central-2'],
    ['aws:securetransport', 'false'],
    ['aws:useragent', 'agent/1'],
    ['aws:userid', 'alice'],
    ['aws:username', 'alice'],
    ['s3:authtype', 'REST-HEADER'],
    ['s3:delimiter', '/'],
    ['s3:max-keys', '7'],
    ['s3:prefix', 'a/b'],
    ['s3:signatureage', '30000'],
    ['s3:signatureversion', 'AWS4-HMAC-SHA256'],
    ['s3:x-amz-acl', 'public-read'],
    ['s3:x-amz-grant-read', 'bob, carol'],
    ['s3:x-amz-copy-source', '/b/k'],
    ['s3:x-amz-metadata-directive', 'REPLACE'],
    ['s3:x-amz-storage-class', 'GLACIER'],
    ['s3:object-lock-mode', 'GOVERNANCE'],
    ['s3:object-lock-legal-hold', 'ON'],
    ['s3:object-lock-retain-until-date', '2026-11-23T00:00:00Z'],
    ['s3:object-lock-remaining-retention-days', '2'],
  ])('%s is %s', (key, value) => {
    expect(valuesOf({ target, headers })(key)).toEqual([value])
  })

  test.each([
    'aws:nosuchkey',
    's3:nosuchkey',
    's3:versionid',
    's3:x-amz-server-side-encryption',
    's3:existingobjecttag/a',
    's3:requestobjecttag/a',
    's3:requestobjecttagkeys',
    's3:authorization',
    'authorization',
  ])('a request without %s has none', (key) => {
    expect(valuesOf({ target, headers })(key)).toBeUndefined()
  })

  test('an anonymous caller has no name and no signature', () => {
    const values = valuesOf({ target, headers }, { authentication: ANONYMOUS })
    expect(values('aws:principaltype')).toEqual(['Anonymous'])
    expect(values('aws:userid')).toEqual(['anonymous'])
    for (const key of ['aws:username', 's3:authtype', 's3:signatureversion', 's3:signatureage'])
      expect(values(key)).toBeUndefined()
  })

  test('a presigned request', () => {
    const authentication = { ...BY_HEADER, method: 'presigned' } as const
    const values = valuesOf({ target: '/b?X-Amz-Date=20261121T115000Z' }, { authentication })
    expect(values('s3:authtype')).toEqual(['REST-QUERY-STRING'])
    expect(values('s3:signatureage')).toEqual(['600000'])
  })
})

test('A17: the address is that of the socket, whatever headers say', () => {
  const headers = {
    'X-Forwarded-For': '10.0.0.1',
    'X-Real-IP': '10.0.0.1',
    Forwarded: 'for=10.0.0.1;proto=https',
    'X-Forwarded-Proto': 'https',
    'aws-sourceip': '10.0.0.1',
  }
  const request = { ...requestOf({ headers }), clientAddress: '192.0.2.7' }
  const values = valuesOf({}, { request })
  expect(values('aws:sourceip')).toEqual(['192.0.2.7'])
  expect(values('aws:securetransport')).toEqual(['false'])
  expect(valuesOf({}, { request: { ...request, scheme: 'https' } })('aws:securetransport')).toEqual(
    ['true'],
  )
})

describe('tags', () => {
  test('of the object, under their own names', () => {
    const values = valuesOf({}, { existingTags: { Project: 'x', '': 'empty' } })
    expect(values('s3:existingobjecttag/Project')).toEqual(['x'])
    expect(values('s3:existingobjecttag/project')).toBeUndefined()
    expect(values('s3:existingobjecttag/__proto__')).toBeUndefined()
    expect(values('s3:existingobjecttag/toString')).toBeUndefined()
  })

  test('of the request', () => {
    const values = valuesOf({ headers: { 'x-amz-tagging': 'a=1&b%20c=2' } })
    expect(values('s3:requestobjecttag/b c')).toEqual(['2'])
    expect(values('s3:requestobjecttagkeys')).toEqual(['a', 'b c'])
  })

  test('of its body, where they come so', () => {
    const values = valuesOf({}, { bodyTags: { k: 'v' } })
    expect(values('s3:requestobjecttag/k')).toEqual(['v'])
    expect(values('s3:requestobjecttagkeys')).toEqual(['k'])
  })

  test('a header that cannot be read holds none', () => {
    const values = valuesOf({ headers: { 'x-amz-tagging': '%' } })
    expect(values('s3:requestobjecttagkeys')).toBeUndefined()
  })
})

test('the version that is asked for', () => {
  expect(valuesOf({}, { versionId: 'null' })('s3:versionid')).toEqual(['null'])
})
