import { describe, expect, test } from 'vitest'
import { leastCpuMs } from '../../../test/support/cpu-cost.ts'
import { readNewPolicy } from './check.ts'
import { evaluatePolicy } from './evaluate.ts'
import type { AccessRequest, PolicyDecision } from './policy.ts'
import { readPolicy } from './stored-policies.ts'

const O = 'arn:aws:s3:::b/*'
const B = 'arn:aws:s3:::b'

type Given = Record<string, unknown>

/** An Allow for everybody to get objects, changed; undefined takes an element away. */
function statement(changes: Given = {}): Given {
  return { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: O, ...changes }
}

function document(...statements: readonly Given[]): Buffer {
  return Buffer.from(JSON.stringify({ Version: '2012-10-17', Statement: statements }))
}

function decide(policy: Buffer, asked: Partial<AccessRequest> = {}): PolicyDecision {
  return evaluatePolicy(readPolicy(policy), {
    principal: 'alice',
    action: 's3:GetObject',
    bucket: 'b',
    key: 'k',
    conditionValues: () => undefined,
    ...asked,
  })
}

const refusal = (policy: Buffer): Promise<string> =>
  readNewPolicy(policy, 'b', (access) => access === 'alice' || access === 'bob').then(
    () => 'taken',
    (error: Error) => error.message,
  )

describe('statements', () => {
  test('"Deny wins over Allow" (contract 4.6), wherever it stands', () => {
    const allow = statement({ Sid: 'open' })
    const deny = statement({ Effect: 'Deny', Sid: 'shut', Principal: 'alice' })
    for (const policy of [document(allow, deny), document(deny, allow)]) {
      expect(decide(policy)).toEqual({ effect: 'deny', statement: 'shut' })
      expect(decide(policy, { principal: 'bob' })).toEqual({ effect: 'allow', statement: 'open' })
    }
  })

  test('are named by their Sid or their place; the first that allows is told', () => {
    const other = statement({ Action: 's3:PutObject' })
    expect(decide(document(other, statement(), statement()))?.statement).toBe('1')
  })

  test('that do not apply decide nothing', () => {
    expect(decide(document(statement()), { action: 's3:PutObject' })).toBeUndefined()
    expect(decide(document(statement()), { key: undefined })).toBeUndefined()
    expect(decide(document(statement()), { bucket: 'bb' })).toBeUndefined()
    expect(decide(document(statement({ Principal: 'bob' })))).toBeUndefined()
    expect(
      decide(document(statement({ Principal: 'bob' })), { principal: undefined }),
    ).toBeUndefined()
  })

  test('for everybody are for anonymous callers too; an account called * is not everybody', () => {
    expect(decide(document(statement()), { principal: undefined })?.effect).toBe('allow')
    expect(
      decide(document(statement({ Principal: { AWS: '*' } })), { principal: undefined })?.effect,
    ).toBe('allow')
    expect(decide(document(statement({ Principal: 'alice' })), { principal: '*' })).toBeUndefined()
  })
})

describe('resources', () => {
  test.each([
    ['a//b', 'a/b'],
    ['./a/b', 'a/b'],
    ['a/./b', 'a/b'],
    ['x/../a/b', 'a/b'],
    ['/a/b', 'a/b'],
    ['a//*', 'a/b'],
  ])('b/%s is the object b/%s: one object has one name (contract 2.1)', (resource, key) => {
    const shut = document(statement({ Effect: 'Deny', Resource: `${B}/${resource}` }), statement())
    expect(decide(shut, { key })?.effect).toBe('deny')
  })

  test('of a directory object have its name with and without the slash', () => {
    for (const resource of ['dir/', 'dir', 'dir/*', 'd*']) {
      const policy = document(statement({ Resource: `${B}/${resource}` }))
      expect(decide(policy, { key: 'dir/' })?.effect).toBe('allow')
    }
    expect(decide(document(statement({ Resource: `${B}/dir/` })), { key: 'dir' })).toBeUndefined()
  })

  test('with variables are each caller’s own', () => {
    const policy = document(statement({ Resource: `${B}/home/\${aws:username}/*` }))
    const named = (name: string) => ({
      key: 'home/alice/k',
      conditionValues: (key: string) => (key === 'aws:username' ? [name] : undefined),
    })
    expect(decide(policy, named('alice'))?.effect).toBe('allow')
    for (const name of ['bob', '*', '?lice', 'alice/..', ''])
      expect(decide(policy, named(name))).toBeUndefined()
    expect(decide(policy, { key: 'home/alice/k' })).toBeUndefined()
  })
})

describe('the Not elements', () => {
  test('NotPrincipal denies to all others, anonymous callers among them', () => {
    const policy = document(
      statement({ Effect: 'Deny', Principal: undefined, NotPrincipal: { AWS: 'alice' } }),
      statement(),
    )
    expect(decide(policy)?.effect).toBe('allow')
    expect(decide(policy, { principal: 'bob' })?.effect).toBe('deny')
    expect(decide(policy, { principal: undefined })?.effect).toBe('deny')
  })

  test('NotAction is every other action, also one that no policy can name', () => {
    const policy = document(
      statement({ Action: undefined, NotAction: ['s3:Put*', 's3:DeleteObject'] }),
    )
    expect(decide(policy)?.effect).toBe('allow')
    expect(decide(policy, { action: 's3:PutObjectAcl' })).toBeUndefined()
    expect(decide(policy, { action: 's3:DeleteObject' })).toBeUndefined()
    expect(decide(policy, { action: 's3:SomethingNew' })?.effect).toBe('allow')
  })

  test('NotResource is every other resource of the bucket, and the bucket', () => {
    const deny = { Effect: 'Deny', Action: 's3:*', Resource: undefined, NotResource: `${B}/open/*` }
    const policy = document(statement(deny), statement())
    expect(decide(policy, { key: 'open/k' })?.effect).toBe('allow')
    expect(decide(policy, { key: 'k' })?.effect).toBe('deny')
    expect(decide(policy, { key: undefined, action: 's3:ListBucket' })?.effect).toBe('deny')
  })

  test.each([
    [
      'NotPrincipal with Allow',
      { Principal: undefined, NotPrincipal: 'alice' },
      'Invalid principal in policy',
    ],
    [
      'NotPrincipal beside Principal',
      { Effect: 'Deny', NotPrincipal: 'alice' },
      'Invalid principal in policy',
    ],
    [
      'NotPrincipal of nobody',
      { Effect: 'Deny', Principal: undefined, NotPrincipal: 'carol' },
      'Invalid principal in policy',
    ],
    [
      'NotPrincipal *',
      { Effect: 'Deny', Principal: undefined, NotPrincipal: '*' },
      'Invalid principal in policy',
    ],
    ['NotAction beside Action', { NotAction: 's3:PutObject' }, 'Policy has invalid action'],
    [
      'NotAction of nothing known',
      { Action: undefined, NotAction: 's3:Foo' },
      'Policy has invalid action',
    ],
    [
      'NotAction of everything',
      { Action: undefined, NotAction: 's3:*' },
      'Action does not apply to any resource(s) in statement',
    ],
    ['NotResource beside Resource', { NotResource: O }, 'Policy has invalid resource'],
    [
      'NotResource of another bucket',
      { Resource: undefined, NotResource: 'arn:aws:s3:::c/*' },
      'Policy has invalid resource',
    ],
    ['no principal', { Principal: undefined }, 'Invalid principal in policy'],
    ['no action', { Action: undefined }, 'Policy has invalid action'],
    ['no resource', { Resource: undefined, Action: 's3:*' }, 'Policy has invalid resource'],
  ])('%s is refused', async (_, changes, message) => {
    expect(await refusal(document(statement(changes)))).toBe(message)
  })
})

/** VersityGW stores it all the same. What is not understood must not open anything. */
describe('a stored statement that would be refused', () => {
  test.each([
    ['an unknown operator', { Condition: { Foo: { 'aws:x': 'a' } } }],
    ['an unknown operator of no keys', { Condition: { Foo: {} } }],
    ['an unknown key', { Condition: { StringEquals: { foo: 'a' } } }],
    ['a value that is none', { Condition: { IpAddress: { 'aws:SourceIp': 'nowhere' } } }],
    ['a condition that is no block', { Condition: 'always' }],
    ['an element and its Not form', { NotAction: 's3:PutObject' }],
    ['NotResource that cannot be read', { NotResource: 1 }],
  ])('with %s allows nothing and denies', (_, changes) => {
    expect(decide(document(statement(changes)))).toBeUndefined()
    const deny = document(statement({ ...changes, Effect: 'Deny' }), statement())
    expect(decide(deny)?.effect).toBe('deny')
  })

  test('with two conditions allows nothing and denies', () => {
    const allow = document(statement({ Condition: {} })).toString()
    const twice = allow.replace(
      '"Condition":{}',
      '"Condition":{},"condition":{"Null":{"aws:x":"false"}}',
    )
    expect(decide(Buffer.from(twice))).toBeUndefined()
    expect(decide(Buffer.from(twice.replace('Allow', 'Deny')))?.effect).toBe('deny')
  })

  test('that lacks an element, or has neither effect, says nothing, as in VersityGW', () => {
    for (const changes of [
      { Principal: undefined },
      { Action: undefined },
      { Resource: undefined },
    ])
      for (const Effect of ['Allow', 'Deny'])
        expect(decide(document(statement({ ...changes, Effect })))).toBeUndefined()
    expect(decide(document(statement({ Effect: 'deny' })))).toBeUndefined()
  })

  test('with NotPrincipal and Allow lets nobody in', () => {
    const policy = document(statement({ Principal: undefined, NotPrincipal: 'bob' }))
    expect(decide(policy)).toBeUndefined()
    expect(decide(policy, { principal: undefined })).toBeUndefined()
  })
})

describe('which account there is', () => {
  test('is asked once for each name and not at all for *', async () => {
    const asked: string[] = []
    const exists = (access: string): boolean => asked.push(access) > 0
    await readNewPolicy(document(statement()), 'b', exists)
    const twice = statement({ Principal: ['alice', 'bob', 'alice'] })
    await readNewPolicy(document(twice), 'b', exists)
    expect(asked).toEqual(['alice', 'bob'])
  })

  test('a store that fails is no unknown principal', async () => {
    const failing = (): Promise<boolean> => Promise.reject(new Error('the store is down'))
    const policy = document(statement({ Principal: 'alice' }))
    await expect(readNewPolicy(policy, 'b', failing)).rejects.toThrow('the store is down')
  })
})

describe('a policy made to cost much (A23)', () => {
  // 50 ms are the event loop's; a slow machine gets more.
  const HOLD_UP_MS = 200
  const long = 'a'.repeat(7000)
  const values: Readonly<Record<string, readonly string[]>> = {
    'aws:useragent': [long],
    'aws:referer': ['a'.repeat(1000)],
  }
  const fill = (pattern: string): string[] =>
    Array.from({ length: Math.floor(20_000 / (pattern.length + 6)) }, (_, n) => `${pattern}${n}*`)

  test.each([
    '*a?',
    '*?${aws:Referer}?',
    '*${aws:Referer}',
    `*${'a'.repeat(14)}?*b`,
    '*?a?a*',
    '*a',
  ])('%s many times', (pattern) => {
    const Condition = { StringLike: { 'aws:UserAgent': fill(pattern) } }
    const policy = readPolicy(document(statement({ Condition })))
    const request = {
      principal: 'alice',
      action: 's3:GetObject',
      bucket: 'b',
      key: 'k',
      conditionValues: (key: string) => values[key],
    }
    expect(evaluatePolicy(policy, request)?.effect).not.toBe('allow')
    expect(leastCpuMs(() => evaluatePolicy(policy, request), HOLD_UP_MS)).toBeLessThanOrEqual(
      HOLD_UP_MS,
    )
  })

  /** A key as many times as fit, each in another mix of cases: within an operator they are different members. */
  const everySpelling = (key: string, value: string): Record<string, string> => {
    const block: Record<string, string> = {}
    for (let n = 0; n < 20_000 / (key.length + value.length + 6); n++) {
      const spelt = Array.from(key, (c, i) => ((n >> i) & 1 ? c.toUpperCase() : c.toLowerCase()))
      block[spelt.join('')] = value
    }
    return block
  }
  const distinct = String.fromCodePoint(...Array.from({ length: 900 }, (_, n) => 0x4e00 + n))

  test.each([
    ['colons', { ArnNotLike: everySpelling('aws:referer', 'a:::::') }, ':'.repeat(7000)],
    ['digits', { NumericNotEquals: everySpelling('aws:referer', '1') }, `.${'1'.repeat(7000)}x`],
    ['case', { StringNotEqualsIgnoreCase: everySpelling('aws:referer', 'a') }, 'É'.repeat(3500)],
    [
      'a chain of variables',
      { StringNotLike: { 'aws:referer': `${'${s3:prefix}'.repeat(1600)}?` } },
      long,
    ],
    [
      'many characters',
      { StringNotLike: { 'aws:referer': Array(1000).fill('*${s3:prefix}?*') } },
      `${distinct}xyz`,
    ],
    [
      'variables without end',
      { ArnNotLike: { 'aws:referer': `a:a:a:a:a:${'${'.repeat(9900)}` } },
      'a:a:a:a:a:x',
    ],
  ])('%s, to be read and to be evaluated', (_, Condition, referer) => {
    const context: Readonly<Record<string, readonly string[]>> = {
      'aws:referer': [referer],
      's3:prefix': [distinct],
    }
    const bytes = document(statement({ Condition }))
    expect(bytes.length).toBeLessThan(20 * 1024 + 600)
    const run = () => decide(bytes, { conditionValues: (key: string) => context[key] })
    expect(leastCpuMs(run, HOLD_UP_MS)).toBeLessThanOrEqual(HOLD_UP_MS)
  })

  test('denies; one that means something does not come near', () => {
    const costly = { StringLike: { 'aws:UserAgent': fill('*?${aws:Referer}?') } }
    const conditionValues = (key: string) => values[key]
    expect(decide(document(statement({ Condition: costly })), { conditionValues })).toEqual({
      effect: 'deny',
      statement: 'a policy costs too much to evaluate',
    })
    const key = 'k'.repeat(1024)
    const many = Array.from({ length: 300 }, (_, n) => `${B}/*dir-${n}/?*/*.jpg`)
    const policy = document(statement({ Resource: [...many, O] }))
    expect(decide(policy, { key })?.effect).toBe('allow')
  })
})
