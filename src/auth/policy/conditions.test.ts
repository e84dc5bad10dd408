import { describe, expect, test } from 'vitest'
import { compileConditions } from './conditions.ts'
import { Evaluation } from './evaluation.ts'
import { parseJson } from './json.ts'

type Context = Readonly<Record<string, readonly string[]>>

function holds(block: unknown, context: Context = {}): boolean {
  const json = parseJson(JSON.stringify(block))
  const conditions = compileConditions(json, { variables: true, keys: new Set() })
  const evaluation = new Evaluation((key) => context[key])
  return conditions.every((condition) => condition.holds(evaluation))
}

/** A condition of one operator on one key, `aws:x`. */
function one(operator: string, expected: unknown, ...found: readonly string[]): boolean {
  return holds({ [operator]: { 'aws:x': expected } }, { 'aws:x': found })
}

function missing(operator: string, expected: unknown): boolean {
  return holds({ [operator]: { 'aws:x': expected } })
}

describe('one value', () => {
  test.each([
    ['StringEquals', 'a', 'a', true],
    ['StringEquals', 'a', 'A', false],
    ['StringEquals', 'a*', 'ab', false],
    ['StringEquals', 'a*', 'a*', true],
    ['StringEquals', ['a', 'b'], 'b', true],
    ['StringEquals', [], 'b', false],
    ['StringNotEquals', ['a', 'b'], 'b', false],
    ['StringNotEquals', ['a', 'b'], 'c', true],
    ['StringNotEquals', [], 'c', true],
    ['StringEqualsIgnoreCase', 'ÀB', 'àb', true],
    ['StringNotEqualsIgnoreCase', 'AB', 'ab', false],
    ['StringLike', 'a*c', 'abc', true],
    ['StringLike', 'A*', 'abc', false],
    ['StringNotLike', ['x*', 'a?c'], 'abc', false],
    ['StringEquals', 1, '1', true],
    ['StringEquals', true, 'true', true],
    ['NumericEquals', '10', '10.0', true],
    ['NumericEquals', 10, '1e1', true],
    ['NumericEquals', '10', 'ten', false],
    ['NumericNotEquals', '10', '11', true],
    ['NumericNotEquals', ['10', '11'], '11', false],
    ['NumericNotEquals', '10', 'ten', true],
    ['NumericLessThan', '10', '9.5', true],
    ['NumericLessThan', '10', '10', false],
    ['NumericLessThanEquals', '10', '10', true],
    ['NumericGreaterThan', '9', '10', true],
    ['NumericGreaterThanEquals', '10', '-10', false],
    ['NumericLessThan', '10', '', false],
    ['DateEquals', '2026-11-21T12:00:00Z', '2026-11-21T13:00:00+01:00', true],
    ['DateEquals', '2026-11-21T12:00:00Z', '1795262400', true],
    ['DateEquals', 1795262400, '2026-11-21T12:00:00Z', true],
    ['DateNotEquals', '2026-11-21', '2026-11-21T00:00:00Z', false],
    ['DateLessThan', '2026-11-21', '2026-11-20T23:59:59.999Z', true],
    ['DateLessThanEquals', '2026', '2026-01-01T00:00:00Z', true],
    ['DateGreaterThan', '2026-11', '2026-11-01T00:00:01Z', true],
    ['DateGreaterThanEquals', '2026-11-21T12:00Z', 'soon', false],
    ['Bool', 'true', 'true', true],
    ['Bool', true, 'TRUE', true],
    ['Bool', 'false', 'true', false],
    ['Bool', ['true', 'false'], 'true', true],
    ['BinaryEquals', 'QmluYXJ5', 'QmluYXJ5', true],
    ['BinaryEquals', 'QmluYXJ5', 'QmluYXJ6', false],
    ['BinaryEquals', 'QmluYXJ5', 'Binary', false],
    ['IpAddress', '203.0.113.0/24', '203.0.113.5', true],
    ['IpAddress', '203.0.113.0/24', '203.0.114.5', false],
    ['IpAddress', '203.0.113.77/24', '203.0.113.5', true],
    ['IpAddress', '203.0.113.5', '203.0.113.5', true],
    ['IpAddress', '0.0.0.0/0', '203.0.113.5', true],
    ['IpAddress', '0.0.0.0/0', '2001:db8::1', false],
    ['IpAddress', '2001:DB8:1234:5678::/64', '2001:db8:1234:5678::1', true],
    ['IpAddress', '2001:db8:1234:5678::/64', '2001:db8:1234:5679::1', false],
    ['IpAddress', '2001:db8::/31', '2001:db9::1', true],
    ['IpAddress', '10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['IpAddress', '::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['IpAddress', 'fe80::/10', 'fe80::1%eth0', true],
    ['IpAddress', '10.0.0.0/8', 'unknown', false],
    ['NotIpAddress', ['10.0.0.0/8', '::1'], '10.1.2.3', false],
    ['NotIpAddress', ['10.0.0.0/8', '::1'], '11.1.2.3', true],
    ['ArnEquals', 'arn:aws:sns:*:123456789012:t*', 'arn:aws:sns:eu:123456789012:topic', true],
    ['ArnLike', 'arn:aws:s3:::b/*', 'arn:aws:s3:::b/a:b/c', true],
    // "Each of the six colon-delimited components is checked separately": a star does not reach over a colon.
    ['ArnLike', 'arn:aws:*:topic', 'arn:aws:sns:eu:1:topic', false],
    ['ArnLike', 'arn:*:*:*:*:*', 'arn:aws:sns:eu:1', false],
    ['ArnNotLike', 'arn:aws:iam::1:user/*', 'arn:aws:iam::1:user/a', false],
    ['ArnNotEquals', 'arn:aws:iam::1:user/*', 'arn:aws:iam::1:role/a', true],
  ] as const)('%s %j of %j: %s', (operator, expected, found, outcome) => {
    const isArn = operator.startsWith('Arn')
    if (isArn && String(expected).split(':').length < 6)
      expect(() => one(operator, expected, found)).toThrow('invalid condition value')
    else expect(one(operator, expected, found)).toBe(outcome)
  })
})

describe('a key that is not there', () => {
  // "If the key that you specify in a policy condition is not present in the request context, the values do not match and
  // the condition is false. If the policy condition requires that the key is not matched … the condition is true."
  test.each([
    ['StringEquals', 'a', false],
    ['StringLike', '*', false],
    ['StringNotEquals', 'a', true],
    ['StringNotEqualsIgnoreCase', 'a', true],
    ['StringNotLike', '*', true],
    ['NumericNotEquals', '1', true],
    ['NumericLessThan', '1', false],
    ['DateNotEquals', '2026', true],
    ['Bool', 'false', false],
    ['NotIpAddress', '::/0', true],
    ['IpAddress', '::/0', false],
    ['ArnNotEquals', 'arn:a:b:c:d:e', true],
    ['ArnNotLike', 'arn:a:b:c:d:e', true],
    // "…IfExists: If the condition key is not present in the request context, evaluate the condition element as true."
    ['StringEqualsIfExists', 'a', true],
    ['BoolIfExists', 'true', true],
    ['StringNotEqualsIfExists', 'a', true],
    ['ForAnyValue:StringEqualsIfExists', 'a', true],
    // "ForAllValues … also returns true if there are no context keys in the request"; ForAnyValue: "returns false".
    ['ForAllValues:StringEquals', 'a', true],
    ['ForAllValues:StringNotEquals', 'a', true],
    ['ForAnyValue:StringEquals', 'a', false],
    ['ForAnyValue:StringNotEquals', 'a', false],
    ['Null', 'true', true],
    ['Null', true, true],
    ['Null', 'false', false],
    ['Null', ['true', 'false'], true],
    ['Null', [], false],
  ])('%s %j: %s', (operator, expected, outcome) => {
    expect(missing(operator, expected)).toBe(outcome)
    // An empty set is as good as none.
    expect(one(operator, expected)).toBe(outcome)
  })
})

describe('keys of several values', () => {
  test.each([
    // "ForAllValues: … every context key value in the request matches at least one of the values in the policy."
    ['ForAllValues:StringEquals', ['a', 'b'], ['a'], true],
    ['ForAllValues:StringEquals', ['a', 'b'], ['b', 'a', 'a'], true],
    ['ForAllValues:StringEquals', ['a', 'b'], ['a', 'c'], false],
    ['ForAllValues:StringEquals', [], ['a'], false],
    ['ForAllValues:StringLike', ['a*'], ['ab', 'ac'], true],
    // Negated: each of them matches none.
    ['ForAllValues:StringNotEquals', ['a', 'b'], ['c', 'd'], true],
    ['ForAllValues:StringNotEquals', ['a', 'b'], ['c', 'a'], false],
    // "ForAnyValue: … at least one of the context key values in the request matches at least one …"
    ['ForAnyValue:StringEquals', ['a', 'b'], ['c', 'b'], true],
    ['ForAnyValue:StringEquals', ['a', 'b'], ['c', 'd'], false],
    ['ForAnyValue:StringNotEquals', ['a', 'b'], ['a', 'c'], true],
    ['ForAnyValue:StringNotEquals', ['a', 'b'], ['a', 'b'], false],
    // Without a set operator one is enough, and none may match where the operator is negated.
    ['StringEquals', ['a'], ['b', 'a'], true],
    ['StringNotEquals', ['a'], ['b', 'a'], false],
    ['StringNotEquals', ['a'], ['b', 'c'], true],
  ])('%s %j of %j: %s', (operator, expected, found, outcome) => {
    expect(one(operator, expected, ...found)).toBe(outcome)
  })
})

describe('a block', () => {
  test('needs each of its operators and keys', () => {
    const block = { StringEquals: { 'aws:x': 'a', 'aws:Y': 'b' }, Bool: { 'aws:z': 'true' } }
    const context = { 'aws:x': ['a'], 'aws:y': ['b'], 'aws:z': ['true'] }
    expect(holds(block, context)).toBe(true)
    for (const key of Object.keys(context))
      expect(holds(block, { ...context, [key]: ['c'] })).toBe(false)
  })

  test('of nothing holds', () => {
    expect(holds({})).toBe(true)
    expect(holds({ StringEquals: {} })).toBe(true)
    expect(holds(null)).toBe(true)
  })

  test('takes variables in strings and ARNs only', () => {
    const context = { 'aws:x': ['alice'], 'aws:username': ['alice'] }
    expect(holds({ StringEquals: { 'aws:x': '${aws:username}' } }, context)).toBe(true)
    expect(holds({ StringLike: { 'aws:x': '${aws:username}*' } }, context)).toBe(true)
    const arn = { 'aws:x': ['arn:aws:iam::1:user/alice'], 'aws:username': ['alice'] }
    expect(holds({ ArnLike: { 'aws:x': 'arn:aws:iam::1:user/${aws:username}' } }, arn)).toBe(true)
    expect(() => holds({ NumericEquals: { 'aws:x': '${aws:username}' } })).toThrow('value')
  })

  test('with a variable that has no value: not equal, so negated operators hold', () => {
    expect(one('StringEquals', '${aws:none}', 'x')).toBe(false)
    expect(one('StringNotEquals', '${aws:none}', 'x')).toBe(true)
    expect(one('StringNotLike', '${aws:none}*', 'x')).toBe(true)
  })

  test.each([
    ['Foo', 'Invalid Condition type : Foo'],
    ['stringEquals', 'Invalid Condition type : stringEquals'],
    ['StringEqualsIfExist', 'Invalid Condition type : StringEqualsIfExist'],
    ['IfExists', 'Invalid Condition type : IfExists'],
    ['ForSomeValues:StringEquals', 'Invalid Condition type : ForSomeValues:StringEquals'],
    [
      'ForAllValues:ForAnyValue:StringEquals',
      'Invalid Condition type : ForAllValues:ForAnyValue:StringEquals',
    ],
    ['NullIfExists', 'Invalid Condition type : NullIfExists'],
    ['__proto__x', 'Invalid Condition type : __proto__x'],
    ['constructor', 'Invalid Condition type : constructor'],
  ])('knows no operator %j', (operator, message) => {
    expect(() => missing(operator, 'a')).toThrow(message)
  })

  test.each([
    ['NumericEquals', 'ten'],
    ['NumericEquals', '0x10'],
    ['NumericEquals', ''],
    ['DateLessThan', 'tomorrow'],
    ['DateLessThan', '2026-13-01'],
    ['DateLessThan', '2026-11-21T12:00:00'],
    ['Bool', 'yes'],
    ['Null', 'maybe'],
    ['BinaryEquals', 'not base64!'],
    // "date/time values with one of the W3C implementations of the ISO 8601 date formats": these are no dates.
    ['DateEquals', '2026-02-30'],
    ['DateLessThan', '2025-02-29T00:00:00Z'],
    ['IpAddress', '10.0.0.0/33'],
    ['IpAddress', '10.0.0.0/'],
    ['IpAddress', '10.0.0/8'],
    ['IpAddress', '::/129'],
    ['IpAddress', '::ffff:10.0.0.0/8'],
    ['IpAddress', 'fe80::1%eth0'],
    ['ArnEquals', '*'],
  ])('refuses %s of %j', (operator, value) => {
    expect(() => missing(operator, value)).toThrow('Policy has an invalid condition value')
  })

  test.each(['x', 1, true, [], ['a'], { StringEquals: 'x' }, { StringEquals: ['x'] }])(
    'refuses the form of %j',
    (block) => {
      expect(() => holds(block)).toThrow('This policy contains invalid Json')
    },
  )

  test.each([null, { a: 'b' }, ['a', null], [['a']]])('refuses %j as a value', (value) => {
    expect(() => missing('StringEquals', value)).toThrow('This policy contains invalid Json')
  })

  test('refuses what stands twice: dropping one would widen what is granted', () => {
    const twice = [
      '{"StringEquals":{"aws:x":"a"},"StringEquals":{"aws:y":"b"}}',
      '{"StringEquals":{"aws:x":"a","aws:x":"b"}}',
    ]
    for (const text of twice) {
      const options = { variables: true, keys: new Set<string>() }
      expect(() => compileConditions(parseJson(text), options)).toThrow('invalid Json')
    }
  })

  test('learns which keys are asked for, those of variables too', () => {
    const keys = new Set<string>()
    const block = {
      StringEquals: { 'AWS:UserName': '${s3:ExistingObjectTag/Team}' },
      Null: { 's3:prefix': 'true' },
    }
    compileConditions(parseJson(JSON.stringify(block)), { variables: true, keys })
    expect([...keys].sort()).toEqual(['aws:username', 's3:existingobjecttag/Team', 's3:prefix'])
  })
})
