import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'

/** Compares with `test/golden/<name>`; with UPDATE_GOLDEN=1 in the environment writes it anew. */
export function expectGolden(name: string, text: string): void {
  const path = pathOf(name)
  if (process.env['UPDATE_GOLDEN'] === '1' || !existsSync(path)) {
    if (process.env['UPDATE_GOLDEN'] !== '1')
      throw new Error(`${path} is missing: run with UPDATE_GOLDEN=1`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  expect(text).toBe(readGolden(name))
}

/** `test/golden/<name>`, for those whose answer is not what is recorded. */
export function readGolden(name: string): string {
  return readFileSync(pathOf(name), 'utf8')
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../golden/${name}`, import.meta.url))
}
