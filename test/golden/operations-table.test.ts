import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { operations } from '../../src/s3/operations/index.ts'
import { withOperationsTable } from '../support/operations-table.ts'

const README = new URL('../../README.md', import.meta.url)

test('README tells which operations there are, as the operations themselves say', () => {
  const readme = readFileSync(README, 'utf8')
  const current = withOperationsTable(readme, operations)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(README, current)
  else expect(readme, 'run `npm run table`').toBe(current)
})
