import type { RecentTrace } from '../trace/trace-ring.ts'
import type { TraceFilter, TraceRow } from './api-types.ts'
import { shortName } from './trace-row.ts'

/** What was asked cannot be meant; its message is for who asked. */
export class BadQuery extends Error {}

const TEXTS = ['operation', 'bucket', 'prefix', 'status', 'access', 'id', 'reason'] as const

const LONGEST = 2048

export function readFilter(query: URLSearchParams): TraceFilter {
  const filter: Record<string, string | number> = {}
  for (const name of TEXTS) {
    const value = query.get(name)
    if (value === null || value === '') continue
    if (value.length > LONGEST) throw new BadQuery(`${name} is too long`)
    filter[name] = value
  }
  if (
    filter['status'] !== undefined &&
    !/^(?:\d{1,3}|[1-5]xx|error)$/.test(String(filter['status']))
  )
    throw new BadQuery('status is a number, 1xx to 5xx, or error')
  const minMs = query.get('minMs') ?? ''
  if (minMs !== '') filter['minMs'] = readNumber('minMs', minMs)
  return filter
}

export function readNumber(name: string, text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number) && number >= 0) return number
  throw new BadQuery(`${name} is not a number`)
}

/** What can be told before a trace is decoded. */
export function mayMatch(trace: RecentTrace, filter: TraceFilter): boolean {
  const { operation, status, minMs, id } = filter
  if (minMs !== undefined && trace.durationMs < minMs) return false
  if (status !== undefined && !hasStatus(trace.status, status)) return false
  if (operation !== undefined && !isCalled(trace.operation, operation)) return false
  return id === undefined || hasId(trace, id)
}

/** Whether a trace has to be decoded to tell. */
export function needsRow({ bucket, prefix, access, reason }: TraceFilter): boolean {
  return (bucket ?? prefix ?? access ?? reason) !== undefined
}

export function matches(row: TraceRow, { bucket, prefix, access, reason }: TraceFilter): boolean {
  if (bucket !== undefined && row.bucket !== bucket) return false
  if (prefix !== undefined && row.key?.startsWith(prefix) !== true) return false
  if (access !== undefined && row.access !== access) return false
  return reason === undefined || row.reason === reason
}

export function hasId(trace: RecentTrace, id: string): boolean {
  const wanted = id.toLowerCase()
  return trace.traceId === wanted || trace.requestId === wanted
}

function hasStatus(status: number, wanted: string): boolean {
  if (wanted === 'error') return status >= 400
  if (wanted.endsWith('xx')) return Math.floor(status / 100) === Number(wanted[0])
  return status === Number(wanted)
}

function isCalled(rootSpan: string, operation: string): boolean {
  const wanted = operation.toLowerCase()
  return rootSpan.toLowerCase() === wanted || shortName(rootSpan).toLowerCase() === wanted
}
