import { expect, test } from 'vitest'
import { table } from './table.ts'

// The layouts below were printed by VersityGW v1.7.0-44's `admin list-users` and `admin list-buckets`.

const USERS = ['Account', 'Role', 'UserID', 'GroupID', 'ProjectID']

test('no rows: titles and dashes, an empty line at the end (contract 1.4)', () => {
  expect(table(USERS, [])).toBe(
    'Account  Role  UserID  GroupID  ProjectID\n' +
      '-------  ----  ------  -------  ---------\n' +
      '\n',
  )
  expect(table(['Bucket', 'Owner'], [])).toBe('Bucket   Owner\n-------  ----\n\n')
})

test('columns are as wide as their longest cell, counted in characters', () => {
  const rows = [
    ['averyveryverylongaccesskeyid', 'admin', '-1', '0', '0'],
    ['u2', 'userplus', '5', '6', '7'],
    ['é中', 'admin', '3', '0', '0'],
  ]
  expect(table(USERS, rows)).toBe(
    'Account                       Role      UserID  GroupID  ProjectID\n' +
      '-------                       ----      ------  -------  ---------\n' +
      'averyveryverylongaccesskeyid  admin     -1      0        0\n' +
      'u2                            userplus  5       6        7\n' +
      'é中                            admin     3       0        0\n' +
      '\n',
  )
})

test('an empty last cell still has the gap before it', () => {
  expect(table(['Bucket', 'Owner'], [['handmade', '']])).toBe(
    'Bucket    Owner\n-------   ----\nhandmade  \n\n',
  )
})

test('what a terminal would obey is not printed', () => {
  expect(table(['Bucket', 'Owner'], [['a\u001b[31m\nb', 'x\ty']])).toContain('a?[31m?b  x?y\n')
})
