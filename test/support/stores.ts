import type { AccountStore } from '../../src/auth/iam/account-store.ts'
import { S3Error } from '../../src/s3/errors.ts'

/** The error an account store answers with; anything else it does is a mistake. */
export async function storeError(answer: Promise<unknown>): Promise<S3Error> {
  const error = await answer.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (error instanceof S3Error) return error
  throw new Error(`not an S3Error: ${String(error)}`)
}

/** Everything of an error that a log might show: messages and stacks of all its causes. */
export function everythingOf(error: unknown): string {
  const texts: string[] = []
  for (let one: unknown = error; one instanceof Error; one = one.cause) {
    texts.push(String(one.stack), JSON.stringify(one, Object.getOwnPropertyNames(one)))
  }
  return texts.join('\n')
}

/** ms: more than a busy machine adds to what a call may take, and less than the 10 s that it may take unless told. */
export const SOON_MS = 8000

/** How long an answer takes, and the code of its error. */
export async function timed(answer: Promise<unknown>): Promise<{ code: string; ms: number }> {
  const start = performance.now()
  const { code } = await storeError(answer)
  return { code, ms: performance.now() - start }
}

/** Names that mean something to LDAP, URLs, JSON or shells, and must be nothing but names. */
export const HOSTILE_NAMES: readonly string[] = [
  '*',
  'a*',
  '*)(uid=*',
  '*))(|(uid=*',
  'admin)(&',
  '\\',
  '\\2a',
  'x,ou=other,dc=example,dc=org',
  'a+uid=alice',
  '#hash',
  '"quoted"',
  '<angle>;semi=colon',
  ' lead',
  'trail ',
  'nul\u0000byte',
  'line\nbreak\r',
  '..',
  '.',
  '%2e%2e',
  '%2f..%2f',
  'a/../alice',
  'a?list=true',
  'a#fragment',
  '__proto__',
  'constructor',
  '","role":"admin',
  'Straße 北京 🙂',
  '\u202egnp.exe',
]

/** A store in whatever state it is ends its calls. */
export async function closeAll(stores: readonly AccountStore[]): Promise<void> {
  await Promise.all(stores.map((store) => store.close()))
}
