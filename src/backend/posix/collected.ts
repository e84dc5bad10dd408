import type { IoError } from '../../io/io-error.ts'
import type { HashKind, Step } from '../../io/io.ts'
import type { AnyPayload, PayloadCheck } from '../payload.ts'
import type { Facts, Publication } from './publish.ts'

/** Bodies up to this size are gathered in memory and published in one chain. */
export const COLLECTED_BYTES = 256 * 1024

/** Reads a digest that was computed on the way. */
export type DigestReader = (kind: HashKind) => Buffer

/** The steps that hash, write and verify a body held in memory; the digests of `kinds` can be read afterwards. `facts`: of the span. */
export function collectedFill(
  pieces: readonly Buffer[],
  payload: AnyPayload,
  kinds: readonly HashKind[],
  facts?: Facts,
): Required<Pick<Publication, 'fill' | 'explain'>> & { readonly digest: DigestReader } {
  const checks = payload.checks()
  const wanted = distinct(kinds, payload.kinds)
  const told = distinct(kinds)
  let verified: Step<Buffer>[] = []
  let digests: Step<Buffer>[] = []
  return {
    fill: (chain, file) => {
      chain.writeData(file, pieces, { hasher: 'job', kinds: wanted, attributes: facts })
      verified = checks.map(({ kind, expected }) => chain.verifyDigest('job', kind, expected))
      digests = told.map((kind) => chain.digest('job', kind))
    },
    explain: (error) => mismatch(error, verified, checks),
    digest: (kind) => digests[told.indexOf(kind)]?.value ?? Buffer.alloc(0),
  }
}

/** Each kind once. There are two or three: a Set costs more than looking for them. */
function distinct(kinds: readonly HashKind[], more: readonly HashKind[] = NONE): HashKind[] {
  const all: HashKind[] = []
  for (const kind of kinds) if (!all.includes(kind)) all.push(kind)
  for (const kind of more) if (!all.includes(kind)) all.push(kind)
  return all
}

const NONE: readonly HashKind[] = []

/** The error a client expects whose declared digest differs. */
export function mismatch(
  error: IoError,
  verified: readonly Step<Buffer>[],
  checks: readonly PayloadCheck[],
): Error | undefined {
  const failed = verified.findIndex((step) => step === error.step)
  const check = checks[failed]
  const step = verified[failed]
  return check === undefined || step === undefined ? undefined : check.mismatch(step.value)
}
