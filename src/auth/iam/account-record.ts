import { ROLES, type Account, type Role } from './account-store.ts'

/** An account in JSON, as VersityGW writes it to users.json and to Vault. */
export interface AccountRecord {
  readonly access: string
  readonly secret: string
  readonly role: Role
  readonly userID: number
  readonly groupID: number
  readonly projectID: number
}

export function toRecord({ access, secret, role, ...ids }: Account): AccountRecord {
  const { userId: userID, groupId: groupID, projectId: projectID } = ids
  return { access, secret, role, userID, groupID, projectID }
}

/**
 * Undefined where `value` is no usable account of that access key: without a secret, or with an id that is no number, which
 * must not silently become 0, the id of the system's root user. Absent ids are 0; a role that is none is `user`.
 */
export function fromRecord(access: string, value: unknown): Account | undefined {
  if (!isObject(value)) return undefined
  const { secret, role, userID, groupID, projectID } = value
  const ids = { userId: toId(userID), groupId: toId(groupID), projectId: toId(projectID) }
  const { userId, groupId, projectId } = ids
  if (typeof secret !== 'string' || secret === '') return undefined
  if (userId === undefined || groupId === undefined || projectId === undefined) return undefined
  if (value['access'] !== undefined && value['access'] !== access) return undefined
  return { access, secret, role: toRole(role), userId, groupId, projectId }
}

/** The least of the roles where it is none. */
export function toRole(value: unknown): Role {
  return ROLES.find((role) => role === value) ?? 'user'
}

/** Largest id of users and groups; the one above it means "unchanged" to chown(2). */
const MAX_ID = 0xffff_fffe

/** 0 where there is none, undefined where it is odd. */
export function toId(value: unknown): number | undefined {
  if (value === undefined || value === null) return 0
  const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number)) return undefined
  return number >= 0 && number <= MAX_ID ? number : undefined
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads JSON. The error does not quote the text, which may hold secrets, as the built-in one does. */
export function parseJson(text: Buffer | string, what: string): unknown {
  try {
    return JSON.parse(text.toString())
  } catch {
    throw new Error(`${what} is not JSON`)
  }
}

/** In byte order, as stores list accounts. */
export function sortAccounts(accounts: readonly Account[]): readonly Account[] {
  return accounts.toSorted((a, b) => Buffer.compare(Buffer.from(a.access), Buffer.from(b.access)))
}
