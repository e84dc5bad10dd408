import type { NaiveRequest } from './naive-policy.ts'

/**
 * Random policies and requests, out of alphabets so small that they often have to do with each other. The same seed gives
 * the same ones.
 */
export interface RandomCase {
  readonly document: string
  readonly request: NaiveRequest
}

export const BUCKET = 'bkt'
export const ACCOUNTS = ['alice', 'bob', 'carol']

export function randomCase(seed: number): RandomCase {
  const pick = new Picker(seed)
  return { document: JSON.stringify(policy(pick)), request: request(pick) }
}

/** Mulberry32: a generator of a few lines that any language has. */
class Picker {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.number() < probability
  }

  one<T>(choices: readonly [T, ...T[]]): T {
    return choices[Math.floor(this.number() * choices.length)] ?? choices[0]
  }

  /** One of them by itself, or a list of up to three, which may be empty where that is allowed. */
  oneOrList<T>(choices: readonly [T, ...T[]], least = 1): T | T[] {
    if (this.chance(0.4)) return this.one(choices)
    const length = least + Math.floor(this.number() * (4 - least))
    return Array.from({ length }, () => this.one(choices))
  }
}

const OBJECT_ACTIONS = [
  's3:GetObject',
  's3:PutObject',
  's3:DeleteObject',
  's3:GetObject*',
  's3:*Object',
  's3:Get*',
  's3:*',
  's3:?etObject',
  's3:*Tagging',
] as const
const BUCKET_ACTIONS = ['s3:ListBucket', 's3:GetBucket*', 's3:*Bucket', 's3:*'] as const
const OBJECTS = [
  '/*',
  '/a',
  '/a/*',
  '/a/b',
  '/a//b',
  '/./a',
  '/a/../b',
  '/*b',
  '/?',
  '/??b',
  '/a*/b*',
  '/*a*b*c*',
  '/${aws:username}/*',
  "/${aws:username, 'nobody'}/*",
  '/${s3:prefix}*',
  '/${*}',
  '/${$}{x}',
  '/dir/',
  '/dir',
  '/dir*',
  '/é?',
  '/*/*',
] as const
const BUCKETS = ['', '*', '?'] as const

function policy(pick: Picker): unknown {
  const length = 1 + Math.floor(pick.number() * 3)
  const Statement = Array.from({ length }, () => statement(pick))
  return pick.chance(0.15)
    ? { Version: '2008-10-17', Statement }
    : { Version: '2012-10-17', Statement }
}

function statement(pick: Picker): unknown {
  const Effect = pick.chance(0.65) ? 'Allow' : 'Deny'
  const isOfObjects = pick.chance(0.75)
  const actions = isOfObjects ? OBJECT_ACTIONS : BUCKET_ACTIONS
  const resources = (isOfObjects ? OBJECTS : BUCKETS).map((tail) => `arn:aws:s3:::${BUCKET}${tail}`)
  const [first = '', ...others] = resources
  const some = pick.oneOrList([first, ...others])
  const excluded = pick.oneOrList(['s3:GetObject', 's3:Put*', 's3:ListBucket', 's3:*Tagging'])
  return {
    ...(Effect === 'Deny' && pick.chance(0.2)
      ? { NotPrincipal: principal(pick, false) }
      : { Principal: principal(pick, true) }),
    Effect,
    ...(pick.chance(0.2) ? { NotAction: excluded } : { Action: pick.oneOrList(actions) }),
    ...(pick.chance(0.15) ? { NotResource: some } : { Resource: some }),
    ...(pick.chance(0.6) ? { Condition: condition(pick) } : {}),
  }
}

function principal(pick: Picker, everybody: boolean): unknown {
  if (everybody && pick.chance(0.5)) return pick.one<unknown>(['*', { AWS: '*' }, ['*']])
  const names = pick.oneOrList(['alice', 'bob', 'carol'])
  return pick.chance(0.5) ? { AWS: names } : names
}

/** Keys by what their values are like, with values of policies and of requests. */
const KINDS = {
  String: {
    keys: [
      'aws:username',
      's3:prefix',
      'aws:UserAgent',
      's3:ExistingObjectTag/Team',
      's3:RequestObjectTagKeys',
    ],
    expected: [
      'alice',
      'Alice',
      'bob',
      'a',
      'a*',
      '*',
      '?',
      'a?b',
      '*b',
      '${aws:username}',
      '${*}',
      "${s3:none, 'a'}",
      '${s3:none}',
      '',
      'a/b',
      1,
      true,
    ],
    found: [
      'alice',
      'ALICE',
      'bob',
      'a',
      'ab',
      'a*',
      '*',
      'axb',
      'a/b',
      '',
      '1',
      'true',
      '${aws:username}',
    ],
    operators: [
      'StringEquals',
      'StringNotEquals',
      'StringEqualsIgnoreCase',
      'StringNotEqualsIgnoreCase',
      'StringLike',
      'StringNotLike',
    ],
  },
  Numeric: {
    keys: ['s3:max-keys', 's3:signatureAge'],
    expected: ['10', '100', 10, 0, '-5', '1e2', '10.0', 99.5],
    found: ['10', '100', '9', '0', '-5', '99.5', '1000'],
    operators: [
      'NumericEquals',
      'NumericNotEquals',
      'NumericLessThan',
      'NumericLessThanEquals',
      'NumericGreaterThan',
      'NumericGreaterThanEquals',
    ],
  },
  Date: {
    keys: ['aws:CurrentTime', 'aws:EpochTime', 's3:object-lock-retain-until-date'],
    expected: [
      '2026-11-21T12:00:00Z',
      '2026-11-21',
      '2026',
      '1795262400',
      1795262400,
      '2026-11-21T13:00:00+01:00',
      '2026-11-21T12:00Z',
    ],
    found: [
      '2026-11-21T12:00:00Z',
      '2026-11-21T00:00:00Z',
      '1795262400',
      '2027-01-01T00:00:00.000Z',
      '2020-02-29T00:00:00Z',
    ],
    operators: [
      'DateEquals',
      'DateNotEquals',
      'DateLessThan',
      'DateLessThanEquals',
      'DateGreaterThan',
      'DateGreaterThanEquals',
    ],
  },
  Bool: {
    keys: ['aws:SecureTransport', 's3:x'],
    expected: ['true', 'false', true, false, 'TRUE'],
    found: ['true', 'false'],
    operators: ['Bool'],
  },
  Ip: {
    keys: ['aws:SourceIp'],
    expected: [
      '10.0.0.0/8',
      '10.1.2.3',
      '10.1.2.0/23',
      '0.0.0.0/0',
      '::/0',
      '2001:db8::/32',
      '2001:db8::1',
      '192.168.1.7/30',
      '::ffff:10.0.0.0',
    ],
    found: [
      '10.1.2.3',
      '10.1.3.255',
      '10.2.0.1',
      '192.168.1.5',
      '2001:db8::1',
      '2001:db9::1',
      '::1',
      '::ffff:10.1.2.3',
      '::ffff:10.0.0.0',
    ],
    operators: ['IpAddress', 'NotIpAddress'],
  },
  Arn: {
    keys: ['aws:PrincipalArn', 'aws:SourceArn'],
    expected: [
      'arn:aws:iam::1:user/alice',
      'arn:aws:iam::*:user/*',
      'arn:*:s3:::x:y',
      'arn:aws:*:*:*:*',
      'arn:aws:iam::1:user/${aws:username}',
      'arn:aws:iam::?:user/a?ice',
    ],
    found: [
      'arn:aws:iam::1:user/alice',
      'arn:aws:iam::22:user/bob',
      'arn:aws:s3:::x:y',
      'arn:aws:s3:a:b:c',
    ],
    operators: ['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike'],
  },
  Binary: {
    keys: ['s3:blob'],
    expected: ['YWJj', 'AAA=', ''],
    found: ['YWJj', 'AAA=', ''],
    operators: ['BinaryEquals'],
  },
} as const

type Kind = (typeof KINDS)[keyof typeof KINDS]

function condition(pick: Picker): unknown {
  const block: Record<string, Record<string, unknown>> = {}
  const length = 1 + Math.floor(pick.number() * 1.6)
  for (let n = 0; n < length; n++) {
    const kind: Kind = KINDS[pick.one(Object.keys(KINDS) as [keyof typeof KINDS])]
    const keys: readonly [string, ...string[]] = kind.keys
    const key = pick.chance(0.1)
      ? pick.one(keys).toUpperCase().replace('/TEAM', '/Team')
      : pick.one(keys)
    const expected: readonly [unknown, ...unknown[]] = kind.expected
    const operators: readonly [string, ...string[]] = kind.operators
    const isNull = pick.chance(0.1)
    const name = isNull
      ? 'Null'
      : pick.one(['', '', '', 'ForAllValues:', 'ForAnyValue:']) +
        pick.one(operators) +
        pick.one(['', '', 'IfExists'])
    const values = isNull
      ? pick.oneOrList<unknown>(['true', 'false', true, false])
      : pick.oneOrList(expected, 0)
    block[name] = { ...block[name], [key]: values }
  }
  return block
}

function request(pick: Picker): NaiveRequest {
  const isOfObject = pick.chance(0.75)
  const principal = pick.chance(0.15) ? null : pick.one(['alice', 'bob', 'dave'])
  const context: Record<string, readonly string[]> = {}
  for (const kind of Object.values(KINDS) as Kind[]) {
    for (const key of kind.keys) {
      if (pick.chance(0.35)) continue
      const found: readonly [string, ...string[]] = kind.found
      const length = pick.chance(0.75) ? 1 : Math.floor(pick.number() * 4)
      const [prefix = '', tag] = key.split('/')
      const name = prefix.toLowerCase() + (tag === undefined ? '' : `/${tag}`)
      context[name] = Array.from({ length }, () => pick.one(found))
    }
  }
  if (principal !== null && pick.chance(0.8)) context['aws:username'] = [principal]
  const keys = [
    'a',
    'b',
    'a/b',
    'a/b/c',
    'xab',
    'axbyc',
    'alice/x',
    'nobody/x',
    'bob/x',
    'dir/',
    'dir',
    '*',
    '${x}',
    'éa',
    'é😀',
    'dir/k',
  ] as const
  return {
    principal,
    action: isOfObject
      ? pick.one([
          's3:GetObject',
          's3:PutObject',
          's3:DeleteObject',
          's3:GetObjectTagging',
          's3:GetObjectVersion',
        ])
      : pick.one(['s3:ListBucket', 's3:GetBucketLocation', 's3:DeleteBucket']),
    bucket: BUCKET,
    key: isOfObject ? pick.one(keys) : null,
    context,
  }
}
