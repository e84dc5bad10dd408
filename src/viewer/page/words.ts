import type { TraceRow } from '../api-types.ts'

/** What the page says of a request beyond the words that `explain` has for it. */
export function place({ bucket, key }: TraceRow): string {
  return [bucket, key].filter((part) => part !== undefined).join('/')
}

export function clock(ms: number): string {
  const date = new Date(ms)
  const two = (number: number): string => String(number).padStart(2, '0')
  const thousandths = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${thousandths}`
}

export type Tone = 'good' | 'warn' | 'bad'

/** 0 is a client that went away before there was an answer. */
export function toneOf(status: number): Tone {
  if (status === 0 || status >= 500) return 'bad'
  return status >= 400 ? 'warn' : 'good'
}

export function statusText(status: number): string {
  return status === 0 ? 'gone' : String(status)
}

export const REASONS: Readonly<Record<string, string>> = {
  head: 'by the sampling rate',
  error: 'because it failed',
  slow: 'because it was slow',
}
