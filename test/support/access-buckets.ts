import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { sendAs, type Caller } from './access-matrix.ts'
import type { Fixture } from './fixture.ts'
import type { RawResponse } from './raw-http.ts'
import { setAttribute } from './tree.ts'

export const OWN = { Permission: 'FULL_CONTROL', Access: 'own', Type: 'CanonicalUser' }
export const PUBLIC = ['READ', 'WRITE'].map((Permission) => ({
  Permission,
  Access: 'all-users',
  Type: 'Group',
}))

export interface BucketDocuments {
  readonly grantees?: readonly object[]
  /** Statements; resources are what follows the bucket's name. */
  readonly policy?: readonly object[]
}

/** A bucket of own's with an object `key`. */
export function makeBucket(
  at: Fixture,
  name: string,
  { grantees = [], policy }: BucketDocuments = {},
) {
  mkdirSync(at.path(name))
  writeFileSync(at.path(name, 'key'), 'content')
  const acl = { Owner: 'own', Grantees: [OWN, ...grantees] }
  setAttribute(at.path(name), 'acl', JSON.stringify(acl))
  if (policy !== undefined) hangPolicy(at, name, policy)
}

export function hangPolicy(at: Fixture, name: string, statements: readonly object[]): void {
  const document = { Version: '2012-10-17', Statement: statements }
  setAttribute(at.path(name), 'policy', JSON.stringify(document))
}

export const statement = (
  Effect: 'Allow' | 'Deny',
  actions: string | readonly string[],
  resource: string | readonly string[],
  more: object = {},
): object => ({
  Effect,
  Principal: { AWS: ['usr'] },
  Action: [actions].flat().map((action) => `s3:${action}`),
  Resource: [resource].flat().map((path) => `arn:aws:s3:::${path}`),
  ...more,
})

/** Status and, of an error, code. */
export const answerOf = ({ status, code }: RawResponse): string =>
  code === undefined ? String(status) : `${status} ${code}`

export function deleteKeys(at: Fixture, caller: Caller, bucket: string, keys: readonly string[]) {
  const entries = keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')
  const body = `<Delete>${entries}</Delete>`
  const digest = createHash('md5').update(body).digest('base64')
  return sendAs(at, caller, 'POST', `/${bucket}?delete`, {
    body,
    headers: { 'Content-MD5': digest },
  })
}
