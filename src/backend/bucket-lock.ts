import { parseObject } from '../go-json.ts'
import { parseIsoTime } from '../s3/iso-time.ts'
import type { ObjectRetention } from './backend.ts'

/** The object lock configuration of a bucket. */
export interface BucketLock {
  readonly enabled: boolean
  /** Given to new objects; undefined where there is none. At most one of the periods is set. */
  readonly defaultRetention: DefaultRetention | undefined
  /** When it was set; of use only with a default retention, and VersityGW keeps it only then. */
  readonly createdAtMs?: number | undefined
}

export interface DefaultRetention {
  readonly mode: string
  readonly days: number | undefined
  readonly years: number | undefined
}

/** Undefined where there is none, or one that cannot be read. */
export function readBucketLock(stored: Buffer | undefined): BucketLock | undefined {
  const document = parseObject(stored)
  if (document === undefined) return undefined
  const retention = document['DefaultRetention']
  const createdAt = document['CreatedAt']
  return {
    enabled: document['Enabled'] === true,
    defaultRetention:
      typeof retention === 'object' && retention !== null
        ? readDefaultRetention(retention as Record<string, unknown>)
        : undefined,
    createdAtMs: typeof createdAt === 'string' ? parseIsoTime(createdAt)?.ms : undefined,
  }
}

function readDefaultRetention({ Mode, Days, Years }: Record<string, unknown>): DefaultRetention {
  return {
    mode: typeof Mode === 'string' ? Mode : '',
    days: typeof Days === 'number' ? Days : undefined,
    years: typeof Years === 'number' ? Years : undefined,
  }
}

/** What an object that is written at this moment is given; undefined where the bucket gives none. */
export function retentionGivenBy(lock: BucketLock, atMs: number): ObjectRetention | undefined {
  const { defaultRetention } = lock
  if (defaultRetention === undefined) return undefined
  const untilMs = endOfPeriod(defaultRetention, atMs)
  const retainUntil = new Date(untilMs).toISOString().replace(/\.?0*Z$/, 'Z')
  return { mode: defaultRetention.mode, retainUntil }
}

/** A year is a year of the calendar. */
export function endOfPeriod({ days, years }: DefaultRetention, fromMs: number): number {
  const end = new Date(fromMs)
  if (years !== undefined) end.setUTCFullYear(end.getUTCFullYear() + years)
  if (days !== undefined) end.setUTCDate(end.getUTCDate() + days)
  return end.getTime()
}
