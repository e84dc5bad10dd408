import { describe, expect, test } from 'vitest'
import { readNewPolicy } from '../../src/auth/policy/check.ts'
import { evaluatePolicy } from '../../src/auth/policy/evaluate.ts'
import type { Policy } from '../../src/auth/policy/policy.ts'
import { S3Error } from '../../src/s3/errors.ts'
import { naiveDecision } from '../support/naive-policy.ts'
import { ACCOUNTS, BUCKET, randomCase } from '../support/random-policies.ts'

/** Cases that are policies: about one in ten is refused, because its actions have no resource. */
const CASES = 10_000
const SEED = Number(process.env['POLICY_SEED'] ?? 1)

async function read(document: string): Promise<Policy | undefined> {
  try {
    return await readNewPolicy(Buffer.from(document), BUCKET, (name) => ACCOUNTS.includes(name))
  } catch (error) {
    if (error instanceof S3Error && /does not apply|invalid action/.test(error.message))
      return undefined
    throw error
  }
}

describe('random policies and requests', () => {
  test('are decided as a second, naive evaluator decides them (A15)', async () => {
    const counts = { allow: 0, deny: 0, none: 0 }
    const differing: unknown[] = []
    let seed = SEED * 1_000_000
    for (let cases = 0; cases < CASES; seed++) {
      const { document, request } = randomCase(seed)
      const policy = await read(document)
      if (policy === undefined) continue
      cases++
      const { context, principal, key, ...rest } = request
      const ours = evaluatePolicy(policy, {
        ...rest,
        principal: principal ?? undefined,
        key: key ?? undefined,
        conditionValues: (name) => context[name],
      })
      const theirs = naiveDecision(document, request)
      counts[theirs]++
      if ((ours?.effect ?? 'none') !== theirs && differing.length < 5)
        differing.push({ seed, document, request, theirs, ours })
    }
    expect(differing).toEqual([])
    // Of each answer there is enough for agreement to mean something.
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(CASES / 20)
  })
})
