import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readNewPolicy } from '../../src/auth/policy/check.ts'
import { evaluatePolicy } from '../../src/auth/policy/evaluate.ts'

interface Case {
  readonly document: string
  readonly request: {
    readonly principal?: string
    readonly action: string
    readonly bucket: string
    readonly key?: string
    readonly context: Readonly<Record<string, readonly string[]>>
  }
  readonly decision: 'allow' | 'deny' | 'none'
}

const { cases } = JSON.parse(
  readFileSync(new URL('separate-evaluator.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly Case[] }

test('policies are decided as an evaluator decided them that was written apart from ours (A15)', async () => {
  const differing: unknown[] = []
  for (const { document, request, decision } of cases) {
    const { principal, action, bucket, key, context } = request
    const policy = await readNewPolicy(Buffer.from(document), bucket, () => true)
    const conditionValues = (name: string) => context[name]
    const ours = evaluatePolicy(policy, { principal, action, bucket, key, conditionValues })
    if ((ours?.effect ?? 'none') !== decision) differing.push({ document, request, decision, ours })
  }
  expect(cases.length).toBeGreaterThan(600)
  expect(differing).toEqual([])
})
