/**
 * Dates as HTTP writes them (RFC 9110 §5.6.7: the preferred form and the two obsolete ones) and, because S3's clients
 * send it in conditional headers, RFC 3339. Milliseconds since the epoch; undefined where the text is none of these.
 */
export function parseHttpDate(text: string): number | undefined {
  const match = IMF_FIXDATE.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text)
  if (match !== null) return fromFields(match.groups ?? {})
  if (!RFC_3339.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}

let formattedSecond = Number.NaN
let formatted = ''

/** `Sat, 21 Nov 2026 09:17:10 GMT`: whole seconds, the fraction cut off as S3 does. */
export function formatHttpDate(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== formattedSecond) {
    formatted = new Date(second * 1000).toUTCString()
    formattedSecond = second
  }
  return formatted
}

/** `2026-11-21T09:17:10Z`: how XML answers write times, in whole seconds. */
export function formatXmlDate(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** `Sat Nov 21 09:17:10 2026`: the form of C's asctime, which GetObjectAttributes answers with. */
export function formatAsctime(ms: number): string {
  const [weekday, day, month, year, time] = new Date(ms).toUTCString().replace(',', '').split(' ')
  return `${weekday} ${month} ${day?.replace(/^0/, ' ')} ${time} ${year}`
}

const IMF_FIXDATE =
  /^\w{3}, (?<day>\d{2}) (?<month>\w{3}) (?<year>\d{4}) (?<h>\d{2}):(?<m>\d{2}):(?<s>\d{2}) GMT$/
const RFC_850 =
  /^\w{6,9}, (?<day>\d{2})-(?<month>\w{3})-(?<year>\d{2}) (?<h>\d{2}):(?<m>\d{2}):(?<s>\d{2}) GMT$/
const ASCTIME =
  /^\w{3} (?<month>\w{3}) (?<day>[ \d]\d) (?<h>\d{2}):(?<m>\d{2}):(?<s>\d{2}) (?<year>\d{4})$/
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function fromFields(fields: Record<string, string | undefined>): number | undefined {
  const { day, month, year, h, m, s } = fields
  const monthIndex = MONTHS.indexOf(month ?? '')
  const date = Number(day)
  const time = Date.UTC(fullYear(year ?? ''), monthIndex, date, Number(h), Number(m), Number(s))
  // Date.UTC carries 31 February into March: such a date is no date.
  if (monthIndex < 0 || new Date(time).getUTCDate() !== date || Number(h) > 23) return undefined
  return time
}

/** RFC 9110 §5.6.7: a two-digit year more than 50 years ahead is the past one that ends so. */
function fullYear(digits: string): number {
  if (digits.length === 4) return Number(digits)
  const year = 2000 + Number(digits)
  return year > new Date().getUTCFullYear() + 50 ? year - 100 : year
}
