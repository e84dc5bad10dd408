import type { BucketLock, DefaultRetention } from '../backend/bucket-lock.ts'
import { child, childText, childrenOf, type XmlElement } from '../http/xml-reader.ts'
import { S3Error } from './errors.ts'

const MAX_PERIOD = { Days: 36_500, Years: 100 } as const

/** An `ObjectLockConfiguration` document. */
export function parseBucketLock(root: XmlElement | undefined): BucketLock {
  if (childText(root, 'ObjectLockEnabled') !== 'Enabled') throw new S3Error('MalformedXML')
  const rule = childrenOf(root, 'Rule').at(-1)
  const retention = child(rule, 'DefaultRetention')
  return {
    enabled: true,
    defaultRetention: retention === undefined ? undefined : parseDefaultRetention(retention),
  }
}

function parseDefaultRetention(element: XmlElement): DefaultRetention {
  const mode = childText(element, 'Mode')
  const days = parsePeriod(childText(element, 'Days'))
  const years = parsePeriod(childText(element, 'Years'))
  const isOne = (days === undefined) !== (years === undefined)
  if ((mode !== 'GOVERNANCE' && mode !== 'COMPLIANCE') || !isOne) throw new S3Error('MalformedXML')
  checkPeriod('Days', days)
  checkPeriod('Years', years)
  return { mode, days, years }
}

/** An integer of 32 bits; one that is empty is 0. */
function parsePeriod(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const digits = text.trim()
  if (!/^[+-]?\d*$/.test(digits)) throw new S3Error('MalformedXML')
  const period = digits === '' ? 0 : Number(digits)
  if (!(Math.abs(period) < 2 ** 31)) throw new S3Error('MalformedXML')
  return period
}

function checkPeriod(name: keyof typeof MAX_PERIOD, period: number | undefined): void {
  if (period === undefined) return
  const details = { ArgumentName: name, ArgumentValue: String(period) }
  const refusal = (message: string): S3Error => new S3Error('InvalidArgument', details, { message })
  if (period <= 0) throw refusal('Default retention period must be a positive integer value.')
  if (period > MAX_PERIOD[name]) throw refusal('Default retention period too large.')
}

/** As a bucket stores it (contract 2.2). The moment counts for default retention, and VersityGW keeps it only with one. */
export function storeBucketLock(
  { enabled, defaultRetention }: BucketLock,
  createdAt: Date | undefined,
): string {
  const retention =
    defaultRetention === undefined
      ? null
      : {
          Days: defaultRetention.days ?? null,
          Mode: defaultRetention.mode,
          Years: defaultRetention.years ?? null,
        }
  const moment = createdAt?.toISOString().replace(/\.?0*Z$/, 'Z') ?? null
  return JSON.stringify({ Enabled: enabled, DefaultRetention: retention, CreatedAt: moment })
}
