import type { Cause } from '../explain/explanation.ts'
import type { TraceAnswer, TraceList, TraceRow, TraceView } from '../viewer/api-types.ts'
import type { DemoGateway } from './gateway-process.ts'

/** A trace that is worth looking at, and why. */
export interface Remarkable {
  readonly why: string
  readonly sentence: string
  readonly traceId: string
}

const TITLES: Readonly<Record<Cause, string>> = {
  'slow-client': 'a slow client',
  'full-pool': 'a full I/O pool',
  'cold-cache': 'a cold cache',
  'slow-disk': 'a slow disk',
  'slow-sync': 'a slow sync',
  'large-directory': 'a large directory',
  lock: 'a held lock',
  'remote-iam': 'an account that had to be fetched',
  hashing: 'much to hash',
  fast: 'nothing to complain of',
  unknown: 'no single cause',
}

const LOOKED_AT = 60
const SHOWN = 8

/** Of the slowest traces one for each cause, and the last failure on the gateway's side. */
export async function remarkable(gateway: DemoGateway): Promise<readonly Remarkable[]> {
  const ask = async <T>(path: string): Promise<T> => {
    const answer = await fetch(new URL(path, gateway.viewer.origin), {
      headers: { Authorization: `Bearer ${gateway.viewerToken}` },
      signal: AbortSignal.timeout(10_000),
    })
    if (!answer.ok) throw new Error(`the viewer answered ${answer.status}`)
    // Both ends are this program.
    return (await answer.json()) as T
  }
  const rows = async (query: string): Promise<readonly TraceRow[]> =>
    (await ask<TraceList>(`/api/traces?${query}`)).traces
  const view = async ({ requestId }: TraceRow): Promise<TraceView | undefined> =>
    (await ask<TraceAnswer>(`/api/traces/${requestId}`)).traces[0]
  const found = new Map<string, Remarkable>()
  const add = (why: string, trace: TraceView): void => {
    if (found.has(why)) return
    const { traceId, explanation, operation } = trace
    found.set(why, { why, traceId, sentence: `${operation}, ${explanation.sentence}` })
  }
  for (const row of await rows('status=5xx&limit=1')) {
    const trace = await view(row)
    if (trace !== undefined) add(`a failure (${row.error ?? row.status})`, trace)
  }
  const candidates = [
    ...(await rows(`order=slowest&limit=${LOOKED_AT}`)),
    ...(await rows('order=slowest&limit=3&operation=ListObjectsV2')),
    ...(await rows('order=slowest&limit=3&operation=CompleteMultipartUpload')),
  ]
  for (const row of candidates) {
    const trace = await view(row)
    if (trace !== undefined && trace.explanation.cause !== 'fast')
      add(TITLES[trace.explanation.cause], trace)
  }
  return [...found.values()].slice(0, SHOWN)
}
