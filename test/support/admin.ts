import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Fixture, RawRequest } from './fixture.ts'
import { scratch } from './gateway.ts'
import type { RawResponse } from './raw-http.ts'

/** A directory for accounts, which goes when the tests of this file are done. */
export function accountDirectory(): string {
  const dir = mkdtempSync(join(scratch(), 'vgw-iam-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export interface AccountFields {
  readonly access: string
  readonly secret: string
  readonly role: string
  readonly userId?: number | string
  readonly groupId?: number | string
  readonly projectId?: number | string
}

/** The document of create-user (contract 5.4). */
export function accountXml({ access, secret, role, ...ids }: AccountFields): string {
  const { userId = 0, groupId = 0, projectId = 0 } = ids
  return (
    `<Account><Access>${access}</Access><Secret>${secret}</Secret><Role>${role}</Role>` +
    `<UserID>${userId}</UserID><GroupID>${groupId}</GroupID><ProjectID>${projectId}</ProjectID></Account>`
  )
}

/** One call of the admin API as root, or as whom `request` says. */
export function admin(at: Fixture, target: string, request: RawRequest = {}): Promise<RawResponse> {
  return at.send('PATCH', target, request)
}

export async function createAccount(at: Fixture, account: AccountFields): Promise<void> {
  const { status, text } = await admin(at, '/create-user', { body: accountXml(account) })
  if (status !== 201) throw new Error(`create-user: ${status} ${text}`)
}
