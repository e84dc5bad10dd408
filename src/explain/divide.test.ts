import { expect, test } from 'vitest'
import { explain } from './explain.ts'
import { phaseOf } from './phase-of.ts'
import type { ExplainedSpan } from './spans.ts'

test('a form is waited for before it is known who sends it', () => {
  const form: ExplainedSpan = {
    name: 'S3.PostObject',
    phase: phaseOf('S3.PostObject'),
    parent: -1,
    startUs: 0,
    durationUs: 1_000_000,
    attributes: { 'vgw.client_wait_ms': 900 },
  }
  const auth: ExplainedSpan = {
    name: 'Auth.V4Signature',
    phase: phaseOf('Auth.V4Signature'),
    parent: 0,
    startUs: 950_000,
    durationUs: 10_000,
    attributes: {},
  }
  const { cause, phases } = explain([form, auth])
  const sums = Object.fromEntries(phases.map(({ phase, ms }) => [phase, ms]))
  expect(sums).toEqual({ client: 900, other: 90, auth: 10 })
  expect(cause).toBe('slow-client')
})
