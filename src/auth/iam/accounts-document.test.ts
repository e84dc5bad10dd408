import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { accountOf } from '../../../test/support/accounts.ts'
import { AccountsDocument, AccountsDocumentError } from './accounts-document.ts'

const GOLDEN = new URL('../../../test/golden/iam/versitygw-users.json', import.meta.url)

const ALICE = accountOf('al<&ice', 's"e\\c>ret é', {
  role: 'userplus',
  userId: 1000,
  groupId: 1001,
  projectId: 7,
})

test('contract 5.2: a file that VersityGW wrote', () => {
  const accounts = AccountsDocument.parse(readFileSync(GOLDEN)).list()
  expect(accounts).toEqual([
    accountOf('10', 'y', { role: 'admin' }),
    accountOf('a/b', 'sb'),
    ALICE,
    accountOf('bob', 'sb2'),
  ])
})

test('contract 5.2: the same accounts are written byte for byte as VersityGW wrote them', () => {
  const document = AccountsDocument.empty()
  document.put(accountOf('bob', 'sb'))
  document.put(ALICE)
  document.put(accountOf('a/b', 'sb'))
  document.put(accountOf('10', 'y', { role: 'admin' }))
  document.update('bob', { secret: 'sb2' })
  expect(document.toBytes().toString()).toBe(readFileSync(GOLDEN, 'utf8'))
  expect(AccountsDocument.empty().toBytes().toString()).toBe('{"accessAccounts":{}}')
})

test('what is not ours is kept', () => {
  const text =
    '{"accessAccounts":{"a":{"access":"a","secret":"s","role":"user","userID":0,"groupID":0,"projectID":0,"quota":5}},"version":2}'
  const document = AccountsDocument.parse(Buffer.from(text))
  document.update('a', { groupId: 9 })
  expect(document.toBytes().toString()).toBe(text.replace('"groupID":0', '"groupID":9'))
})

test('names that mean something to JavaScript are names', () => {
  const document = AccountsDocument.empty()
  for (const access of ['__proto__', 'constructor', 'toString'])
    document.put(accountOf(access, `secret of ${access}`))
  const again = AccountsDocument.parse(document.toBytes())
  expect(again.get('__proto__')?.secret).toBe('secret of __proto__')
  expect(again.list().map(({ access }) => access)).toEqual(['__proto__', 'constructor', 'toString'])
  expect(AccountsDocument.empty().get('constructor')).toBeUndefined()
})

test('keys are in the order of their bytes, not of UTF-16', () => {
  const document = AccountsDocument.empty()
  for (const access of ['\u{1F600}', '\uFFFD', 'b', 'B']) document.put(accountOf(access, 's'))
  expect(document.list().map(({ access }) => access)).toEqual(['B', 'b', '\uFFFD', '\u{1F600}'])
})

test('an unknown role is the least, a missing id is 0', () => {
  const text = '{"accessAccounts":{"a":{"access":"a","secret":"s","role":"root"}}}'
  expect(AccountsDocument.parse(Buffer.from(text)).get('a')).toEqual(accountOf('a', 's'))
})

test.each([
  ['', 'it is not JSON'],
  ['{"accessAccounts":{"u":{"secret":"TOPSECRET', 'it is not JSON'],
  ['[]', 'it is not an object'],
  ['{"accessAccounts":[]}', 'accessAccounts is not an object'],
  ['{"accessAccounts":{"u":"TOPSECRET"}}', 'account 1 is not an object'],
  ['{"accessAccounts":{"u":{"role":"user"}}}', 'account 1: secret is not a string'],
  [
    '{"accessAccounts":{"u":{"secret":"TOPSECRET","userID":"TOPSECRET"}}}',
    'account 1: userID is not a whole number',
  ],
])('%s is refused, and its secrets stay secret', (text, message) => {
  expect(() => AccountsDocument.parse(Buffer.from(text))).toThrow(
    new AccountsDocumentError(message),
  )
})

test('bytes that are no UTF-8 are refused rather than changed', () => {
  const text = Buffer.from('{"accessAccounts":{"u":{"secret":"\xff"}}}', 'latin1')
  expect(() => AccountsDocument.parse(text)).toThrow('it is not JSON')
})
