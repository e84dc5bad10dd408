import { parseObject } from '../go-json.ts'
import type { ObjectRetention } from './backend.ts'

/**
 * A retention as it is stored, by a write or by a call of its own: the second form has a name around it (contract 2.3).
 * Undefined where there is none, or one that cannot be read.
 */
export function readRetention(stored: Buffer | undefined): ObjectRetention | undefined {
  const document = parseObject(stored)
  const mode = document?.['Mode']
  const retainUntil = document?.['RetainUntilDate']
  return typeof mode === 'string' && typeof retainUntil === 'string'
    ? { mode, retainUntil }
    : undefined
}
