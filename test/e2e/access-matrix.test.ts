import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  CALLERS,
  SCENARIOS,
  cellName,
  expectedOutcome,
  observe,
  sendAs,
  writeAccounts,
} from '../support/access-matrix.ts'
import { SUB_ACTIONS, TABLE } from '../support/access-operations.ts'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'
import { versitygw } from '../support/versitygw.ts'

const iamDir = mkdtempSync(join(scratch(), 'vgw-matrix-iam-'))
writeAccounts(iamDir)
afterAll(() => rmSync(iamDir, { recursive: true, force: true }))

const OPERATIONS = [...TABLE, ...SUB_ACTIONS]

const EXPECTED = new Map(
  OPERATIONS.flatMap((operation) =>
    SCENARIOS.flatMap((scenario) =>
      CALLERS.map((caller): [string, string] => [
        cellName(operation, scenario, caller),
        expectedOutcome(operation, caller, scenario),
      ]),
    ),
  ),
)

describe('contract 4.6 and 6.2: operation × what hangs on the bucket × caller', () => {
  const at = useGateway({ flags: ['--iam-dir', iamDir], posixFlags: ['--durability', 'none'] })

  test('every cell', async () => {
    expect(differences(EXPECTED, await observe(at, OPERATIONS))).toEqual([])
  })

  test.each(CALLERS)('contract 4.1: %s and a bucket that is not there', async (caller) => {
    // Root's rights are not looked at: what is wrong with his request is told first.
    const asked = caller === 'root' || caller === 'adm' ? WITHOUT_FAULT : OPERATIONS
    const answers = []
    for (const { name, method, target, headers, body, refusal, unsupported } of asked) {
      if (caller === 'anonymous' && refusal !== undefined) continue
      if (caller !== 'anonymous' && unsupported) continue
      const sent = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, value.replace('{bucket}', 'nobody')]),
      )
      const answer = await sendAs(at, caller, method, `/nobody${target}`, { headers: sent, body })
      answers.push([name, answer.status])
    }
    expect(answers.filter(([, status]) => status !== 404)).toEqual([])
  })
})

const WITHOUT_FAULT = TABLE.filter(({ body }) => body === '')

describe.skipIf(versitygw === undefined)('The same matrix, answered by VersityGW', () => {
  const at = useGateway({
    command: ['/bin/sh', '-c', `shift; exec '${versitygw}' "$@"`, 'sh'],
    flags: ['--iam-dir', iamDir, '--iam-cache-disable'],
  })

  test('differs where a defect is fixed, and nowhere else', async () => {
    const found = differences(EXPECTED, await observe(at, OPERATIONS))
    expect(found.filter((line) => !DEPARTURES.some((departure) => departure.test(line)))).toEqual(
      [],
    )
  })
})

const DEPARTURES: readonly RegExp[] = [
  // Grants count there, also once the owner has switched them off.
  /^[^,]*, grants under BucketOwnerEnforced, (?:oth|usr|anonymous): allowed instead of 403/,
  // Nobody but root, admins and the owner may ask, whatever is granted.
  /^GetBucketVersioning, .* instead of allowed$/,
  // WRITE stands for it there; it is not implemented anyway.
  /^PutObjectAcl, WRITE(?:_ACP)?, /,
  // Anonymous callers are asked for the right to the current version, and for none to what headers hang on an object.
  /^\w+ of a version, policy (?:allows everyone|denies), anonymous: /,
  /^PutObject with .*, anonymous: allowed instead of 403/,
]

function differences(
  expected: ReadonlyMap<string, string>,
  observed: ReadonlyMap<string, string>,
): readonly string[] {
  return [...expected]
    .filter(([cell, outcome]) => observed.get(cell) !== outcome)
    .map(([cell, outcome]) => `${cell}: ${observed.get(cell)} instead of ${outcome}`)
}
