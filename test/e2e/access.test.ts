import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  OWN,
  PUBLIC,
  answerOf,
  deleteKeys,
  hangPolicy,
  makeBucket,
  statement,
} from '../support/access-buckets.ts'
import { sendAs, writeAccounts, type Caller } from '../support/access-matrix.ts'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { setAttribute } from '../support/tree.ts'

const iamDir = mkdtempSync(join(scratch(), 'vgw-access-iam-'))
writeAccounts(iamDir)
afterAll(() => rmSync(iamDir, { recursive: true, force: true }))
const IAM = ['--iam-dir', iamDir]
const FAST = ['--durability', 'none']

describe('accounts', () => {
  const at = useGateway({ flags: IAM, posixFlags: FAST })
  const as = async (
    caller: Caller,
    method: string,
    target: string,
    headers: Record<string, string> = {},
    body = '',
  ): Promise<string> => answerOf(await sendAs(at, caller, method, target, { headers, body }))

  test('contract 4.6: user makes no buckets, userplus and admin do; the owner is who made it', async () => {
    expect(await as('usr', 'PUT', '/by-usr')).toBe('403 AccessDenied')
    expect(await as('usr', 'PUT', '/by-usr', {}, '<broken')).toBe('403 AccessDenied')
    expect(await as('oth', 'PUT', '/by-oth')).toBe('200')
    expect(await as('adm', 'PUT', '/by-adm')).toBe('200')
    expect(await as('usr', 'PUT', '/by-oth')).toBe('403 AccessDenied')
    expect(await as('own', 'PUT', '/by-oth')).toBe('409 BucketAlreadyExists')
    expect(await as('oth', 'PUT', '/by-oth')).toBe('409 BucketAlreadyOwnedByYou')
    expect(await as('oth', 'PUT', '/by-oth/key', {}, 'x')).toBe('200')
    expect(await as('own', 'GET', '/by-oth/key')).toBe('403 AccessDenied')
  })

  test('ListBuckets: each his own, root and admins all; what is granted is not listed', async () => {
    makeBucket(at, 'listed', { grantees: [{ ...OWN, Access: 'usr' }] })
    mkdirSync(at.path('by-hand'))
    const names = async (caller: Caller) => {
      const answer = await sendAs(at, caller, 'GET', '/')
      return [answer.element('ID'), answer.elements('Name')]
    }
    expect(await names('own')).toEqual(['own', ['listed']])
    expect(await names('usr')).toEqual(['usr', []])
    for (const [caller, id] of [
      ['root', at.credentials.access],
      ['adm', 'adm'],
    ] as const) {
      const [owner, all] = await names(caller)
      expect(owner).toBe(id)
      expect(all).toEqual(expect.arrayContaining(['by-hand', 'listed']))
    }
  })

  test('contract 2.2: a directory made by hand is a bucket of root', async () => {
    mkdirSync(at.path('made-by-hand'))
    expect(await as('own', 'GET', '/made-by-hand')).toBe('403 AccessDenied')
    const expects = (owner: string) => ({ 'x-amz-expected-bucket-owner': owner })
    for (const caller of ['root', 'adm'] as const) {
      expect(await as(caller, 'GET', '/made-by-hand', expects(at.credentials.access))).toBe('200')
      expect(await as(caller, 'GET', '/made-by-hand', expects('own'))).toBe('403 AccessDenied')
    }
  })

  test('contract 4.1: x-amz-expected-bucket-owner, of a copy’s source too', async () => {
    makeBucket(at, 'expected')
    const expects = (owner: string) => ({ 'x-amz-expected-bucket-owner': owner })
    expect(await as('own', 'GET', '/expected/key', expects('own'))).toBe('200')
    expect(await as('own', 'GET', '/expected/key', expects('oth'))).toBe('403 AccessDenied')
    expect(await as('root', 'GET', '/expected/key', expects('oth'))).toBe('403 AccessDenied')
    expect(await as('root', 'GET', '/nowhere/key', expects('oth'))).toBe('404 NoSuchBucket')
    expect(await as('own', 'PUT', '/expected-new', expects('oth'))).toBe('200')
    for (const caller of ['own', 'root'] as const) {
      const copy = (owner: string) => ({
        'x-amz-copy-source': 'expected/key',
        'x-amz-source-expected-bucket-owner': owner,
      })
      expect(await as(caller, 'PUT', '/expected/copy', copy('own'))).toBe('200')
      expect(await as(caller, 'PUT', '/expected/copy', copy('oth'))).toBe('403 AccessDenied')
    }
  })

  test('contract 6.2: a refused HeadBucket tells the region, to anonymous callers also of no bucket', async () => {
    makeBucket(at, 'region')
    const head = async (caller: Caller, bucket: string) => {
      const answer = await sendAs(at, caller, 'HEAD', `/${bucket}`)
      return [answer.status, answer.header('x-amz-bucket-region')]
    }
    expect(await head('usr', 'region')).toEqual([403, 'us-east-1'])
    expect(await head('anonymous', 'region')).toEqual([403, 'us-east-1'])
    expect(await head('anonymous', 'nowhere')).toEqual([404, 'us-east-1'])
    expect(await head('usr', 'nowhere')).toEqual([404, undefined])
  })

  describe('a copy needs both: to write, and to read its source', () => {
    const copy = (source: string, more: Record<string, string> = {}) => ({
      'x-amz-copy-source': source,
      ...more,
    })

    test('source and target in buckets of their own', async () => {
      makeBucket(at, 'copy-from')
      makeBucket(at, 'copy-to', { policy: [statement('Allow', 'PutObject', 'copy-to/*')] })
      const attempt = (source = 'copy-from/key', target = '/copy-to/new') =>
        as('usr', 'PUT', target, copy(source))
      expect(await attempt()).toBe('403 AccessDenied')
      hangPolicy(at, 'copy-from', [statement('Allow', 'GetObject', 'copy-from/key')])
      expect(await attempt()).toBe('200')
      expect(await attempt('copy-from/other')).toBe('403 AccessDenied')
      expect(await attempt('nowhere/key')).toBe('404 NoSuchBucket')
      expect(await attempt('copy-from/key', '/copy-from/new')).toBe('403 AccessDenied')
      expect(await as('usr', 'PUT', '/copy-from/new', copy('nowhere/key'))).toBe('403 AccessDenied')
      const part = '/copy-to/new?uploadId=none&partNumber=1'
      expect(await as('usr', 'PUT', part, copy('copy-from/key'))).toBe('404 NoSuchUpload')
      expect(await as('usr', 'PUT', part, copy('copy-to/key'))).toBe('403 AccessDenied')
    })

    test('threat A16: a version of the source needs GetObjectVersion', async () => {
      makeBucket(at, 'version-from')
      const both = ['GetObject', 'GetObjectVersion']
      const versioned = copy('version-from/key?versionId=null')
      makeBucket(at, 'version-to', { policy: [statement('Allow', 'PutObject', 'version-to/*')] })
      hangPolicy(at, 'version-from', [statement('Allow', 'GetObject', 'version-from/*')])
      expect(await as('usr', 'PUT', '/version-to/new', versioned)).toBe('403 AccessDenied')
      hangPolicy(at, 'version-from', [statement('Allow', both, 'version-from/*')])
      expect(await as('usr', 'PUT', '/version-to/new', versioned)).toBe('200')
    })

    test('threat A3: what the source is called is read once, and that is authorized', async () => {
      makeBucket(at, 'named', {
        policy: [statement('Allow', ['GetObject', 'PutObject'], 'named/open/*')],
      })
      const to = '/named/open/new'
      for (const source of [
        'named/open/../key',
        'named%2Fopen%2F..%2Fkey',
        '/named/open/%2e%2e/key',
      ])
        expect(await as('usr', 'PUT', to, copy(source))).toBe('403 AccessDenied')
      expect(await as('usr', 'PUT', to, copy('named/open/%252e%252e/key'))).toBe('404 NoSuchKey')
      expect(await as('usr', 'PUT', to, copy('B_d/key'))).toBe('400 InvalidArgument')
    })
  })

  describe('contract 9.2, 9: DeleteObjects is judged per key', () => {
    test('a grant on the keys is enough, and holds for no others', async () => {
      makeBucket(at, 'delete-keys', {
        policy: [statement('Allow', 'DeleteObject', 'delete-keys/a*')],
      })
      for (const key of ['a1', 'a2', 'b']) writeFileSync(at.path('delete-keys', key), '')
      const answer = await deleteKeys(at, 'usr', 'delete-keys', ['a1', 'b', 'a2'])
      expect(answer.text).toContain(
        '<DeleteResult><Deleted><Key>a1</Key></Deleted><Deleted><Key>a2</Key></Deleted><Error><Code>AccessDenied</Code><Key>b</Key>',
      )
      expect(await as('own', 'GET', '/delete-keys/b')).toBe('403 AccessDenied')
      expect(await as('root', 'GET', '/delete-keys/b')).toBe('200')
      expect(answerOf(await deleteKeys(at, 'usr', 'delete-keys', ['b', 'c']))).toBe(
        '403 AccessDenied',
      )
    })

    test('a grant on the bucket covers them, but for those that are denied', async () => {
      makeBucket(at, 'delete-bucket', {
        policy: [
          statement('Allow', '*', 'delete-bucket'),
          statement('Deny', 'DeleteObject', 'delete-bucket/kept/*'),
        ],
      })
      const answer = await deleteKeys(at, 'usr', 'delete-bucket', ['key', 'kept/1', './kept//2'])
      expect(answer.elements('Key')).toEqual(['key', 'kept/1', './kept//2'])
      expect(answer.elements('Code')).toEqual(['AccessDenied', 'AccessDenied'])
    })

    test('whoever may delete nothing is not told what is wrong with the body', async () => {
      makeBucket(at, 'delete-none')
      expect(await as('usr', 'POST', '/delete-none?delete', {}, '<broken')).toBe('403 AccessDenied')
      hangPolicy(at, 'delete-none', [statement('Allow', 'GetObject', 'delete-none/*')])
      expect(await as('usr', 'POST', '/delete-none?delete', {}, '<broken')).toBe('403 AccessDenied')
      hangPolicy(at, 'delete-none', [statement('Allow', '*', 'delete-none')])
      expect(await as('usr', 'POST', '/delete-none?delete', {}, '<broken')).toBe(
        '400 InvalidRequest',
      )
    })

    test('threat A23: others are answered while a costly policy is asked about hundreds of keys', async () => {
      // As much as an attribute of this file system holds; a policy may be five times as long.
      const costly = Array.from({ length: 80 }, (_, n) => `costly/*xxxxxxxxxx?/${n}*`)
      makeBucket(at, 'costly', {
        policy: [
          statement('Deny', 'DeleteObject', costly),
          statement('Allow', 'DeleteObject', 'costly/other'),
        ],
      })
      const keys = Array.from({ length: 500 }, (_, n) => `${'x'.repeat(1000)}${n}`)
      const state = { isDone: false }
      const deletion = deleteKeys(at, 'usr', 'costly', keys).finally(() => (state.isDone = true))
      let answers = 0
      while (!state.isDone) {
        await as('root', 'GET', '/')
        answers++
      }
      expect(answerOf(await deletion)).toBe('403 AccessDenied')
      // Asked without a pause they take a second or two, in which nobody else is answered: one, or two.
      expect(answers).toBeGreaterThan(5)
    })

    test('a version needs the right to delete versions', async () => {
      makeBucket(at, 'delete-version', {
        policy: [statement('Allow', 'DeleteObject', 'delete-version/*')],
      })
      const body = '<Delete><Object><Key>key</Key><VersionId>null</VersionId></Object></Delete>'
      const headers = { 'Content-MD5': createHash('md5').update(body).digest('base64') }
      expect(await as('usr', 'POST', '/delete-version?delete', headers, body)).toBe(
        '403 AccessDenied',
      )
    })
  })

  test('threat A16: a tag called false needs its right, too', async () => {
    makeBucket(at, 'false-tag', { policy: [statement('Allow', 'PutObject', 'false-tag/*')] })
    for (const headers of [
      { 'x-amz-tagging': 'false' },
      { 'x-amz-object-lock-mode': 'false' },
      { 'x-amz-object-lock-legal-hold': 'false' },
    ])
      expect(await as('usr', 'PUT', '/false-tag/key', headers, 'x')).toBe('403 AccessDenied')
    expect(await as('usr', 'PUT', '/false-tag/key', { 'x-amz-tagging': '' }, 'x')).toBe('200')
  })

  test('access is denied before anything else is found wrong', async () => {
    makeBucket(at, 'faults')
    const cases: readonly (readonly [string, string, Record<string, string>, string])[] = [
      ['GET', '/faults?max-keys=abc', {}, ''],
      ['GET', '/faults?uploads&max-uploads=-1', {}, ''],
      ['GET', '/faults/key?partNumber=abc', {}, ''],
      ['GET', '/faults/key?versionId=bogus', {}, ''],
      ['GET', '/faults/key?attributes', {}, ''],
      ['DELETE', '/faults/key?versionId=bogus', {}, ''],
      ['PUT', '/faults/key', { 'x-amz-tagging': '&&=' }, 'x'],
      ['PUT', '/faults/key?partNumber=0&uploadId=x', {}, 'x'],
      ['POST', '/faults/key?uploadId=x', {}, '<broken'],
      [
        'PUT',
        '/faults/key',
        { 'x-amz-copy-source': 'faults/key', 'x-amz-tagging-directive': 'X' },
        '',
      ],
      ['PUT', '/faults/key', { 'x-amz-checksum-sha256': 'AAAA' }, 'x'],
    ]
    for (const [method, target, headers, body] of cases)
      expect([target, await as('usr', method, target, headers, body)]).toEqual([
        target,
        '403 AccessDenied',
      ])
  })

  test('threat A1: the key that is authorized is the key that is opened', async () => {
    makeBucket(at, 'paths', { policy: [statement('Allow', 'GetObject', 'paths/open/*')] })
    mkdirSync(at.path('paths', 'open'))
    writeFileSync(at.path('paths', 'open/key'), '')
    for (const path of ['open/key', 'open//key', './open/key', 'x/../open/key', 'open%2Fkey'])
      expect([path, await as('usr', 'GET', `/paths/${path}`)]).toEqual([path, '200'])
    for (const path of ['key', 'open/../key', 'open/%2e%2e/key', '%2Fkey', 'open'])
      expect([path, await as('usr', 'GET', `/paths/${path}`)]).toEqual([path, '403 AccessDenied'])
  })

  test('documents that cannot be read grant nothing', async () => {
    makeBucket(at, 'broken-acl')
    setAttribute(at.path('broken-acl'), 'acl', '{"Owner":"own"')
    expect(await as('own', 'GET', '/broken-acl/key')).toBe('403 AccessDenied')
    makeBucket(at, 'broken-policy', { grantees: PUBLIC })
    for (const text of ['{', '', '[]', '{"Statement":7}']) {
      setAttribute(at.path('broken-policy'), 'policy', text)
      for (const caller of ['own', 'usr', 'anonymous'] as const)
        expect([text, caller, await as(caller, 'GET', '/broken-policy/key')]).toEqual([
          text,
          caller,
          '403 AccessDenied',
        ])
      expect(await as('root', 'GET', '/broken-policy/key')).toBe('200')
    }
  })

  test('a change counts for the next request', async () => {
    makeBucket(at, 'changing')
    const allow = [statement('Allow', 'GetObject', 'changing/*')]
    const deny = [...allow, statement('Deny', 'GetObject', 'changing/key')]
    for (const [policy, answer] of [
      [allow, '200'],
      [deny, '403 AccessDenied'],
      [allow, '200'],
    ] as const) {
      hangPolicy(at, 'changing', policy)
      expect(await as('usr', 'GET', '/changing/key')).toBe(answer)
    }
  })

  describe('conditions of a policy', () => {
    const when = (Condition: object, action = 'GetObject') =>
      statement('Allow', action, ['when', 'when/*'], { Condition })
    const setup = (...statements: object[]): void => {
      mkdirSync(at.path('when'), { recursive: true })
      setAttribute(at.path('when'), 'acl', JSON.stringify({ Owner: 'own', Grantees: [OWN] }))
      writeFileSync(at.path('when', 'key'), '')
      hangPolicy(at, 'when', statements)
    }

    test('threat A17: the address is the socket’s, whatever a header says', async () => {
      setup(when({ IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } }))
      expect(await as('usr', 'GET', '/when/key')).toBe('200')
      setup(when({ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }))
      for (const name of ['X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'x-amz-source-ip'])
        expect(await as('usr', 'GET', '/when/key', { [name]: '10.0.0.1' })).toBe('403 AccessDenied')
    })

    test('s3:prefix and its like', async () => {
      setup(when({ StringLike: { 's3:prefix': 'home/${aws:username}/*' } }, 'ListBucket'))
      expect(await as('usr', 'GET', '/when?prefix=home%2Fusr%2F')).toBe('200')
      expect(await as('usr', 'GET', '/when?list-type=2&prefix=home%2Fusr%2Fa')).toBe('200')
      for (const query of ['', '?prefix=', '?prefix=home%2Foth%2F', '?prefix=home%2Fusr'])
        expect(await as('usr', 'GET', `/when${query}`)).toBe('403 AccessDenied')
      setup(when({ NumericLessThanEquals: { 's3:max-keys': '10' } }, 'ListBucket'))
      expect(await as('usr', 'GET', '/when?max-keys=10')).toBe('200')
      expect(await as('usr', 'GET', '/when?max-keys=11')).toBe('403 AccessDenied')
    })

    test('s3:ExistingObjectTag is read where a policy asks for it', async () => {
      setup(when({ StringEquals: { 's3:ExistingObjectTag/public': 'yes' } }))
      setAttribute(at.path('when', 'key'), 'X-Amz-Tagging', '{"public":"yes"}')
      writeFileSync(at.path('when', 'untagged'), '')
      expect(await as('usr', 'GET', '/when/key')).toBe('200')
      expect(await as('usr', 'GET', '/when/untagged')).toBe('403 AccessDenied')
      expect(await as('usr', 'GET', '/when/nothing')).toBe('403 AccessDenied')
      setAttribute(at.path('when', 'key'), 'X-Amz-Tagging', '{"public":"no"}')
      expect(await as('usr', 'GET', '/when/key')).toBe('403 AccessDenied')
    })

    test('s3:RequestObjectTag', async () => {
      setup(
        when({ StringEquals: { 's3:RequestObjectTag/class': 'open' } }, 'PutObject'),
        statement('Allow', 'PutObjectTagging', 'when/*'),
      )
      const put = (tags: string) => as('usr', 'PUT', '/when/new', { 'x-amz-tagging': tags }, 'x')
      expect(await put('class=open&a=b')).toBe('200')
      expect(await put('class=closed')).toBe('403 AccessDenied')
      expect(await as('usr', 'PUT', '/when/new', {}, 'x')).toBe('403 AccessDenied')
    })

    test('s3:RequestObjectTag of a body is looked at before the decision', async () => {
      const tag = (key: string, value: string) =>
        `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`
      const put = (tags: string) =>
        as('usr', 'PUT', '/when/key?tagging', {}, `<Tagging><TagSet>${tags}</TagSet></Tagging>`)
      const isOpen = { StringEquals: { 's3:RequestObjectTag/class': 'open' } }
      setup(when(isOpen, 'PutObjectTagging'))
      expect(await put(tag('class', 'open') + tag('a', 'b'))).toBe('200')
      expect(await put(tag('class', 'closed'))).toBe('403 AccessDenied')
      expect(await put('')).toBe('403 AccessDenied')
      expect(await as('usr', 'PUT', '/when/key?tagging', {}, '<broken')).toBe('403 AccessDenied')
      const others = { 'ForAnyValue:StringNotEquals': { 's3:RequestObjectTagKeys': ['class'] } }
      setup(
        statement('Allow', 'PutObjectTagging', 'when/*'),
        statement('Deny', 'PutObjectTagging', 'when/*', { Condition: others }),
      )
      expect(await put(tag('class', 'x'))).toBe('200')
      expect(await put(tag('class', 'x') + tag('a', 'b'))).toBe('403 AccessDenied')
      expect(await as('usr', 'PUT', '/when/key?tagging', {}, '<broken')).toBe('400 MalformedXML')
    })
  })
})
