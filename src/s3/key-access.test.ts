import { describe, expect, test } from 'vitest'
import type { Right, Verdict } from '../auth/access/decide.ts'
import type { NeededRight } from './access-rules.ts'
import { PolicyKeyAccess } from './key-access.ts'

const DELETES: NeededRight = {
  action: 's3:DeleteObject',
  versionAction: 's3:DeleteObjectVersion',
  permission: 'WRITE',
  on: 'keys',
}
const ALLOW: Verdict = { allowed: true, rule: 'policy' }
const DENY: Verdict = { allowed: false, rule: 'policy' }
const NONE: Verdict = { allowed: false, rule: 'none' }

/** Verdicts by `action key`; of the bucket `action -`. */
function accessWith(verdicts: Readonly<Record<string, Verdict>>): PolicyKeyAccess {
  const judge = ({ action, key = '-' }: Right): Verdict => verdicts[`${action} ${key}`] ?? NONE
  return new PolicyKeyAccess(DELETES, 'bkt', judge)
}

describe('defect 9: DeleteObjects is judged per key; a grant on the key or on the bucket counts', () => {
  test.each([
    ['nothing', {}, false, false],
    ['the key', { 's3:DeleteObject k': ALLOW }, false, true],
    ['the bucket', { 's3:DeleteObject -': ALLOW }, true, true],
    [
      'the bucket, and a Deny on the key',
      { 's3:DeleteObject -': ALLOW, 's3:DeleteObject k': DENY },
      true,
      false,
    ],
    [
      'the key, and a Deny on the bucket',
      { 's3:DeleteObject -': DENY, 's3:DeleteObject k': ALLOW },
      false,
      false,
    ],
  ])('%s', (_, verdicts, onBucket, mayUse) => {
    const access = accessWith(verdicts)
    expect([access.onBucket, access.mayUse('k')]).toEqual([onBucket, mayUse])
  })

  test('a version needs the right to delete versions', () => {
    const access = accessWith({ 's3:DeleteObject -': ALLOW, 's3:DeleteObject k': ALLOW })
    expect(access.mayUse('k', 'null')).toBe(false)
    expect(access.mayUse('k', '')).toBe(true)
    expect(accessWith({ 's3:DeleteObjectVersion k': ALLOW }).mayUse('k', 'null')).toBe(true)
    expect(accessWith({ 's3:DeleteObjectVersion -': ALLOW }).mayUse('k', 'null')).toBe(true)
  })
})
