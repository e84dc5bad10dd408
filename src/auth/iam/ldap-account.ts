import type { Entry } from 'ldapts'
import { toId, toRole } from './account-record.ts'
import type { Account } from './account-store.ts'
import { unusableAccount } from './remote-calls.ts'
import type { LdapAttributes } from './store-config.ts'

/**
 * The account of an entry. Undefined where the entry has no secret: a person of the directory who has no account here.
 *
 * Absent ids are 0 and a role that is absent or none of the three is `user`, the least. An id that is no number, or several
 * values where one belongs, make the account unusable (InternalError): guessing 0 would give files to the system's root user.
 */
export function accountOf(
  access: string,
  entry: Entry,
  attributes: LdapAttributes,
): Account | undefined {
  const one = (field: keyof LdapAttributes): string | undefined => {
    const [value, second] = attributeValues(entry, attributes[field])
    if (second !== undefined) throw odd(access, `several values of ${attributes[field]}`)
    return value
  }
  const id = (field: 'userId' | 'groupId' | 'projectId'): number => {
    const number = toId(one(field))
    if (number === undefined) throw odd(access, `${attributes[field]} is no number`)
    return number
  }
  const secret = one('secret')
  if (secret === undefined || secret === '') return undefined
  return {
    access,
    secret,
    role: toRole(one('role')),
    userId: id('userId'),
    groupId: id('groupId'),
    projectId: id('projectId'),
  }
}

/** Whether the entry has exactly this access key; the directory may have found it in other case or spacing. */
export function hasAccess(entry: Entry, access: string, attributes: LdapAttributes): boolean {
  return attributeValues(entry, attributes.access).includes(access)
}

/** Values of an attribute that are text, in any spelling of its name. */
export function attributeValues(entry: Entry, attribute: string): readonly string[] {
  const wanted = attribute.toLowerCase()
  const [, values = []] =
    Object.entries(entry).find(([name]) => name.toLowerCase() === wanted && name !== 'dn') ?? []
  return [values].flat().filter((value) => typeof value === 'string')
}

function odd(access: string, what: string): Error {
  return unusableAccount(`ldap: the entry of ${JSON.stringify(access)}: ${what}`)
}
