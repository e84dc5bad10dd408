import type { Writable } from 'node:stream'
import type { S3Request } from '../s3/request.ts'
import { nowNs } from '../trace/clock.ts'
import type { Recorder } from '../trace/recorder.ts'
import { redactQuery } from '../trace/root-attributes.ts'

export interface AccessLog {
  write(request: S3Request, recorder: Recorder, status: number, errorCode: string | undefined): void
  flush(): void
  /** Lines that nobody took in time, since the start. */
  readonly dropped: number
}

/** Lines wait for so long, so that one write carries many. */
const FLUSH_MS = 100

/** Lines beyond this are dropped and counted, rather than kept in memory for a reader that has stopped. */
const MAX_WAITING = 65_536

/**
 * One line a request: `HH:MM:SS | vgw | status | latency | ip | method | path | error | query | trace id | span id`. The first
 * nine columns are VersityGW's, so that what reads its lines reads these. Values of query parameters that are no S3 list or
 * sub-resource parameters are redacted: a presigned URL is a credential. Requests to the admin API's own port say `adm`.
 */
export function createAccessLog(out: Writable, listener: 'vgw' | 'adm'): AccessLog {
  let waiting: string[] = []
  let dropped = 0
  let droppedInAll = 0
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    timer = undefined
    if (out.writableNeedDrain) {
      if (waiting.length >= MAX_WAITING) {
        dropped += waiting.length
        droppedInAll += waiting.length
        waiting = []
      }
      return
    }
    if (dropped > 0) waiting.push(`${clock()} | ${listener} | ${dropped} lines dropped\n`)
    dropped = 0
    out.write(waiting.join(''))
    waiting = []
  }
  return {
    write(request, recorder, status, errorCode) {
      const latency = duration(nowNs() - recorder.root.startNs)
      waiting.push(
        `${clock()} | ${listener} | ${status} | ${latency} | ${request.clientAddress} | ${request.method} | ` +
          `${printable(request.rawPath)} | ${errorCode ?? '-'} | ${printable(redactQuery(request.rawQuery, request.query))} | ` +
          `${recorder.traceId} | ${recorder.root.spanId}\n`,
      )
      timer ??= setTimeout(flush, FLUSH_MS).unref()
    },
    flush,
    get dropped() {
      return droppedInAll
    },
  }
}

/** As Go writes one, in VersityGW's 13 columns: `157.274µs`, `1.234567ms`, `2.5s`. */
function duration(ns: number): string {
  const whole = Math.round(ns)
  const [size, unit] = whole < 1e6 ? [1e3, 'µs'] : whole < 1e9 ? [1e6, 'ms'] : [1e9, 's']
  return `${whole / size}${unit}`.padStart(13)
}

let clockText = ''
let clockSecond = -1

/** Local time of day; made once a second. */
function clock(): string {
  const now = Date.now()
  const second = Math.floor(now / 1000)
  if (second !== clockSecond) {
    clockSecond = second
    clockText = new Date(now).toTimeString().slice(0, 8)
  }
  return clockText
}

/** A request line cannot hold line breaks, but may hold other bytes that would disturb a terminal. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}
