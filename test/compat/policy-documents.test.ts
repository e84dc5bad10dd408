import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readNewPolicy } from '../../src/auth/policy/check.ts'
import { isPublicPolicy } from '../../src/auth/policy/public.ts'
import { S3Error } from '../../src/s3/errors.ts'

interface Recorded {
  readonly name: string
  readonly document: string
  readonly status: number
  readonly message?: string
  readonly isPublic?: boolean
}

const { bucket, accounts, documents } = JSON.parse(
  readFileSync(new URL('policy-documents.json', import.meta.url), 'utf8'),
) as { bucket: string; accounts: readonly string[]; documents: readonly Recorded[] }

const TAKEN = 'taken'
const PUBLIC = 'taken, public'
const JSON_FAULT = 'This policy contains invalid Json'
const PRINCIPAL = 'Invalid principal in policy'
const ACTION = 'Policy has invalid action'
const RESOURCE = 'Policy has invalid resource'

/** Where we depart from VersityGW, and what we answer: docs/adr/0005-bucket-policies.md says why. */
const DEPARTURES: readonly (readonly [names: RegExp, ours: string])[] = [
  // A statement without one of its elements, which VersityGW takes and which then applies to nothing.
  [/^Principal missing$/, PRINCIPAL],
  [/(?:first|second) statement: no principal$/, PRINCIPAL],
  [/^faults .*: no principal(?: and|, then) no action$/, PRINCIPAL],
  [/^Statement twice, second with one key$/, PRINCIPAL],
  [/^Action missing$|statement: no action$|^key with dotless i/, ACTION],
  [
    /^no action, no resource$|^faults .*: no action(?: and no resource|, then no principal)$/,
    ACTION,
  ],
  [/^no resource for s3:\*$/, RESOURCE],
  // Elements that VersityGW does not look at. AWS has no NotPrincipal with Allow and no element beside its Not form.
  [/^NotPrincipal 1 alone/, JSON_FAULT],
  [/^NotPrincipal \S+ alone, Allow$|^NotPrincipal .* beside/, PRINCIPAL],
  [/^NotPrincipal \{.* alone, Allow$|^NotPrincipal "(?:\*|nobody)" alone, Deny$/, PRINCIPAL],
  [/^NotAction 1 alone$/, JSON_FAULT],
  [/^NotAction "s3:\*" alone$/, 'Action does not apply to any resource(s) in statement'],
  [/^NotAction (?:"s3:Foo"|"\*"|\[\]) alone$|^NotAction .* beside/, ACTION],
  [/^NotResource 1 alone$/, JSON_FAULT],
  [/^NotResource "arn:aws:s3:::policybucket.*" alone$/, PUBLIC],
  [/^NotResource .*/, RESOURCE],
  // Conditions.
  [/^Condition (?:""|1|\[\]|\{"StringEquals": "x"\})$/, JSON_FAULT],
  [/^Condition \{"Foo"/, 'Invalid Condition type : Foo'],
  [/^Condition \{"ForSomeValues/, 'Invalid Condition type : ForSomeValues:StringEquals'],
  [/^Condition \{"NullIfExists/, 'Invalid Condition type : NullIfExists'],
  [/^Condition \{"stringequals/, 'Invalid Condition type : stringequals'],
  [/^depth (?:5|100) in Condition/, 'Invalid Condition type : a'],
  [/^Condition .*"foo"/, 'Policy has an invalid condition key'],
  [/^Condition .*(?:maybe|300\.|ten|soon)/, 'Policy has an invalid condition value'],
  // Its extended attribute was too large for the file system.
  [/^size 20480$|^depth 5000 in an unknown key$/, PUBLIC],
  [/^size 20481$/, 'Policy exceeds the maximum allowed document size.'],
]

/**
 * What grants nothing to everybody, or only under a condition that lists callers, is not public: VersityGW says so of whatever
 * speaks of everybody.
 */
const NOT_PUBLIC =
  /^Effect "Deny"$|^keys Effect and effect$|^Condition \{"(?:StringEquals|IpAddress)": .*aws:(?:username|SourceIp)": /

async function ourAnswer(document: string): Promise<string> {
  try {
    const known = (access: string): boolean => accounts.includes(access)
    const policy = await readNewPolicy(Buffer.from(document), bucket, known)
    return isPublicPolicy(policy) ? PUBLIC : TAKEN
  } catch (error) {
    if (!(error instanceof S3Error) || error.code !== 'MalformedPolicy') throw error
    return onTheWire(error.message)
  }
}

/** As XML can hold it. */
function onTheWire(message: string): string {
  return Buffer.from(message.replaceAll('\0', '\ufffd')).toString()
}

describe('answers of VersityGW to documents', () => {
  test.each(documents.map((recorded) => [recorded.name, recorded] as const))(
    '%s',
    async (name, { document, status, message = '', isPublic = false }) => {
      const theirs = status !== 204 ? message : isPublic && !NOT_PUBLIC.test(name) ? PUBLIC : TAKEN
      const departure = DEPARTURES.find(([names]) => names.test(name))
      expect(await ourAnswer(document)).toBe(departure === undefined ? theirs : departure[1])
    },
  )
})
