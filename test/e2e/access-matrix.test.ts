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

  test('every cell', { timeout: 120_000 }, async () => {
    expect(differences(EXPECTED, await observe(at, OPERATIONS))).toEqual([])
  })

  test.each(CALLERS)('contract 4.1: %s and a bucket that is not there', async (caller) => {
    const answers = []
    for (const { method, target, headers, body, refusal } of OPERATIONS) {
      if (caller === 'anonymous' && refusal !== undefined) continue
      const sent = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, value.replace('{bucket}', 'nobody')]),
      )
      // What is wrong with a body is told before that to those who could be told.
      if (body !== '' && !MISSING_FIRST.has(caller)) continue
      const answer = await sendAs(at, caller, method, `/nobody${target}`, { headers: sent, body })
      answers.push([method, target, answer.status])
    }
    expect(answers.filter(([, , status]) => status !== 404)).toEqual([])
  })
})

/** Their access hangs on the bucket. */
const MISSING_FIRST: ReadonlySet<string> = new Set(['anonymous'])

/** A binary that is not part of this repository: without it there is nothing to compare with. */
const versitygw = process.env['VERSITYGW']

describe.skipIf(versitygw === undefined)('The same matrix, answered by VersityGW', () => {
  const at = useGateway({
    command: ['/bin/sh', '-c', `shift; exec '${versitygw}' "$@"`, 'sh'],
    flags: ['--iam-dir', iamDir, '--iam-cache-disable'],
  })

  test('differs where a defect is fixed, and nowhere else', { timeout: 120_000 }, async () => {
    const found = differences(EXPECTED, await observe(at, OPERATIONS))
    expect(found.filter((line) => !DEPARTURES.some((departure) => departure.test(line)))).toEqual(
      [],
    )
  })
})

const DEPARTURES: readonly RegExp[] = [/, grants under BucketOwnerEnforced, (oth|usr|anonymous): allowed/, /^GetBucketVersioning, /]

function differences(
  expected: ReadonlyMap<string, string>,
  observed: ReadonlyMap<string, string>,
): readonly string[] {
  return [...expected]
    .filter(([cell, outcome]) => observed.get(cell) !== outcome)
    .map(([cell, outcome]) => `${cell}: ${observed.get(cell)} instead of ${outcome}`)
}
