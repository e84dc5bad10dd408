import { setTimeout as sleep } from 'node:timers/promises'
import { S3Error } from '../s3/errors.ts'
import { correlationIds, type CorrelationIds } from '../trace/correlation.ts'
import type { Authentication, Authenticator } from './authenticate.ts'
import { FailureCounts } from './failure-counts.ts'
import type { FailureNews } from './failure-news.ts'
import type { Iam, IamLog } from './iam/iam.ts'
import { printable } from './printable.ts'

export interface SlowFailuresOptions {
  readonly accounts: Pick<Iam, 'recheck'>
  readonly log: IamLog
  readonly counts?: FailureCounts
  /** Told of each failure: where other processes count them too. */
  readonly news?: FailureNews
}

/** Answers held back at one time; more are given at once. */
const MAX_WAITING = 1000
const LOG_EVERY_MS = 10_000

/** What a guess is answered with. */
const GUESSES: ReadonlySet<string> = new Set(['InvalidAccessKeyId', 'SignatureDoesNotMatch'])

/**
 * Makes guessing slow, and equal in time for access keys that exist and for those that do not.
 *
 * A request that fails is counted; from some number on its answer waits, up to half a second, while it holds nothing but
 * its socket. One that succeeds is never held up, whatever others did with its access key. Before a signature is refused
 * that does not fit an account in memory, the store is asked again, as it is for an unknown access key; both at most once a
 * second for each key. So the time tells nothing, and a secret changed elsewhere works at once.
 */
export function slowFailures(
  authenticator: Authenticator,
  { accounts, log, counts = new FailureCounts(), news }: SlowFailuresOptions,
): Authenticator {
  const report = createReport(counts, log)
  let waiting = 0

  async function refuse(error: unknown, ...request: Asked): Promise<Authentication> {
    const [{ clientAddress }, , { accessKey = '' }, span] = request
    if (!isGuess(error)) throw error
    if ((await accounts.recheck(accessKey, span)) === true) return authenticator(...request)
    const delayMs = counts.add(clientAddress, accessKey)
    news?.add(clientAddress, accessKey)
    report({
      ...(span === undefined ? {} : correlationIds(span)),
      address: clientAddress,
      access_key: printable(accessKey),
      delay_ms: delayMs,
    })
    if (delayMs > 0 && waiting < MAX_WAITING) {
      waiting++
      await sleep(delayMs)
      waiting--
    }
    throw error
  }

  return (request, operation, facts, span) => {
    try {
      const found = authenticator(request, operation, facts, span)
      if (!(found instanceof Promise)) return found
      return found.catch((error: unknown) => refuse(error, request, operation, facts, span))
    } catch (error) {
      if (!isGuess(error)) throw error
      return refuse(error, request, operation, facts, span)
    }
  }
}

type Asked = Parameters<Authenticator>

function isGuess(error: unknown): error is S3Error {
  return error instanceof S3Error && GUESSES.has(error.code)
}

interface Failure extends Partial<CorrelationIds> {
  readonly address: string
  readonly access_key: string
  readonly delay_ms: number
}

/** A line for the first failure, then one for all of each ten seconds, with the ids of the last. */
function createReport(counts: FailureCounts, log: IamLog): (failure: Failure) => void {
  let told = 0
  let last: Failure | undefined
  let isTimed = false
  const tell = (): void => {
    isTimed = false
    if (last === undefined) return
    const failures = counts.total - told
    told = counts.total
    log(
      'warn',
      { failures, total: counts.total, ...last },
      'requests with an unknown access key or a wrong signature',
    )
    last = undefined
    isTimed = true
    setTimeout(tell, LOG_EVERY_MS).unref()
  }
  return (failure) => {
    last = failure
    if (!isTimed) tell()
  }
}
