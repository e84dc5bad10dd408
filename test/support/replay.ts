import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { useGateway, type Fixture } from './fixture.ts'
import { scratch } from './gateway.ts'
import type { RawResponse } from './raw-http.ts'
import { setAttribute } from './tree.ts'

/** What VersityGW was made to do, in the order in which it was done, and what it answered. */
export type RecordedStep<R extends RecordedRequest> =
  | { readonly mkdir: string }
  | { readonly setattr: readonly [path: string, name: string, value: string] }
  | R

export interface RecordedRequest {
  /** root unless said otherwise. */
  readonly as?: 'alice' | 'bob' | 'anonymous'
  readonly method: string
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** It was sent with Content-MD5. */
  readonly md5?: boolean
  readonly status: number
  /** Those headers of the answer that the recording tells of. */
  readonly answer?: Readonly<Record<string, string>>
  readonly xml?: string
  /** Attributes after the request. */
  readonly disk?: Readonly<Record<string, string>>
}

/** Where we answer otherwise on purpose, with the clause that says so; `ours` is what we answer instead. */
export interface Difference<R extends RecordedRequest> {
  readonly clause: string
  readonly matches: (request: R) => boolean
  readonly ours: {
    readonly status: number
    readonly code?: string
    readonly header?: readonly [name: string, value: string | undefined]
  }
}

/** The recording as text, and what of an answer of ours stands beside it. */
export interface Shown {
  readonly answer: Readonly<Record<string, string>>
  readonly xml: string | undefined
  readonly disk: Readonly<Record<string, string>> | undefined
}

const IAM = {
  alice: { access: 'alice', secret: 'alicesecret12', role: 'userplus' },
  bob: { access: 'bob', secret: 'bobsecret1234', role: 'user' },
} as const
const ROOT = { ROOT_ACCESS_KEY_ID: 'vgwroot', ROOT_SECRET_ACCESS_KEY: 'vgwrootsecret1' }

/** A gateway with the accounts of the recordings; `@` in its posix flags is its scratch directory. */
export function useReplayGateway(
  flags: readonly string[],
  posixFlags: readonly string[] = [],
): Fixture {
  const dir = mkdtempSync(join(scratch(), 'vgw-replay-'))
  for (const name of ['data', 'iam', 'versions']) mkdirSync(join(dir, name))
  const accounts = Object.values(IAM).map(
    (account) => [account.access, { ...account, userID: 0, groupID: 0, projectID: 0 }] as const,
  )
  const file = JSON.stringify({ accessAccounts: Object.fromEntries(accounts) })
  writeFileSync(join(dir, 'iam', 'users.json'), file, { mode: 0o600 })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  return useGateway({
    dir: join(dir, 'data'),
    env: ROOT,
    flags: ['--iam-dir', join(dir, 'iam'), ...flags],
    posixFlags: posixFlags.map((flag) => flag.replace('@', dir)),
  })
}

/** Does all of a recording again; every answer must be the recorded one, or the one a difference names. */
export async function replay<R extends RecordedRequest>(
  at: Fixture,
  steps: readonly RecordedStep<R>[],
  differences: readonly Difference<R>[],
  show: (request: R, answer: RawResponse) => { readonly expected: Shown; readonly got: Shown },
  bodyOf: (request: R) => string | undefined = ({ body }) => body,
): Promise<void> {
  const wrong: unknown[] = []
  for (const step of steps) {
    if ('mkdir' in step) mkdirSync(at.path(step.mkdir))
    else if ('setattr' in step) {
      const [path, name, value] = step.setattr
      setAttribute(at.path(path), name, value)
    } else {
      const answer = await send(at, step, bodyOf(step))
      const difference = differences.find(({ matches }) => matches(step))
      const problem =
        difference === undefined
          ? compared(step, answer, show(step, answer))
          : differing(difference, answer)
      if (problem !== undefined) wrong.push({ ...step, ...problem })
    }
  }
  expect(wrong).toEqual([])
}

function differing<R extends RecordedRequest>(
  { clause, ours }: Difference<R>,
  answer: RawResponse,
): object | undefined {
  const { status, code, header } = ours
  const isOurs =
    answer.status === status &&
    (code === undefined || answer.text.includes(`<Code>${code}</Code>`)) &&
    (header === undefined || answer.header(header[0]) === header[1])
  return isOurs ? undefined : { clause, got: answer.status, text: answer.text }
}

function compared(
  request: RecordedRequest,
  answer: RawResponse,
  { expected, got }: { readonly expected: Shown; readonly got: Shown },
): object | undefined {
  const pairs = { status: [request.status, answer.status], ...pairsOf(expected, got) }
  const problems = Object.entries(pairs).filter(
    ([, [recorded, ours]]) => JSON.stringify(recorded) !== JSON.stringify(ours),
  )
  if (problems.length === 0) return undefined
  return { got: Object.fromEntries(problems.map(([name, [, ours]]) => [name, ours])) }
}

function pairsOf(expected: Shown, got: Shown): Record<string, readonly [unknown, unknown]> {
  return {
    answer: [expected.answer, got.answer],
    xml: [expected.xml, got.xml],
    disk: [expected.disk, got.disk],
  }
}

function send(
  at: Fixture,
  request: RecordedRequest,
  body: string | undefined,
): Promise<RawResponse> {
  const { as, method, target, headers = {}, md5 = false } = request
  const digest = createHash('md5')
    .update(body ?? '')
    .digest('base64')
  return at.send(method, target, {
    headers: { ...headers, ...(md5 && { 'Content-MD5': digest }) },
    ...(body !== undefined && { body }),
    ...(as === 'anonymous' ? { sign: false } : as !== undefined && { credentials: IAM[as] }),
  })
}
