import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { evaluatePolicy } from '../../src/auth/policy/evaluate.ts'
import { parsePolicy } from '../../src/auth/policy/parse.ts'
import { normalizeKey } from '../../src/s3/names.ts'

/** What VersityGW allowed and denied, policy by policy. `allowed` has a digit for each request. */
interface Decisions {
  readonly bucket: string
  readonly requests: readonly {
    readonly principal: string | null
    readonly action: string
    readonly key?: string
  }[]
  readonly policies: readonly { readonly document: string; readonly allowed: string }[]
}

const { bucket, requests, policies } = JSON.parse(
  readFileSync(new URL('policy-decisions.json', import.meta.url), 'utf8'),
) as Decisions

/** Where we depart from VersityGW, and of which requests: docs/adr/0005-bucket-policies.md says why. */
const DEPARTURES: readonly (readonly [policy: RegExp, keys: readonly string[] | 'all'])[] = [
  // `?` is a character there as well as here, but one of UTF-8's bytes: a letter beyond ASCII has two of them or more.
  [/policybucket\/?(?:\?|\?\?|\?\?\?\?)"/, ['é', '😀', 'dir/']],
  // A directory object has both its names, `dir/` and `dir`; a file only its own.
  [/policybucket\/(?:\*\/\*|\*\*\/\*\*|dir\/\*)"/, ['dir/']],
  [/policybucket\/dir\/"/, ['dir']],
  [/\$\{aws:username\}/, ['alice/f', '${aws:username}/f']],
  [/\$\{\*\}/, ['*']],
  [/"NotAction"|"NotPrincipal"|"NotResource"|"Condition"/, 'all'],
]

describe('decisions of VersityGW', () => {
  test.each(policies.map(({ document, allowed }) => [document, allowed]))(
    '%s',
    (document, allowed) => {
      const policy = parsePolicy(Buffer.from(document))
      const departure = DEPARTURES.find(([documents]) => documents.test(document))?.[1] ?? []
      const differing = requests.flatMap(({ principal, action, key }, i) => {
        const decision = evaluatePolicy(policy, {
          principal: principal ?? undefined,
          action,
          bucket,
          key: key === undefined ? undefined : normalizeKey(key),
          conditionValues: (name) =>
            name === 'aws:username' && principal !== null ? [principal] : undefined,
        })
        const isSame = (decision?.effect === 'allow') === (allowed[i] === '1')
        return isSame || departure === 'all' || departure.includes(key ?? '')
          ? []
          : [{ principal, action, key, ours: decision?.effect }]
      })
      expect(differing).toEqual([])
    },
  )
})
