/** `YYYYMMDDTHHMMSSZ`, the only form signatures know, as milliseconds; undefined where the text is something else. */
export function parseTimestamp(text: string): number | undefined {
  if (text.length !== 16 || text[8] !== 'T' || text[15] !== 'Z') return undefined
  const day = startOfDay(text)
  const hours = digits(text, 9, 11)
  const minutes = digits(text, 11, 13)
  const seconds = digits(text, 13, 15)
  // NaN, for what is no number, is not less than anything.
  if (day === undefined || !(hours < 24 && minutes < 60 && seconds < 60)) return undefined
  return day + ((hours * 60 + minutes) * 60 + seconds) * 1000
}

/** Nearly all requests are signed on the day of the one before. */
let lastDay = '--------'
let lastDayMs = 0

/** The first millisecond of the day a text begins with; undefined where it begins with none. */
function startOfDay(text: string): number | undefined {
  if (text.startsWith(lastDay)) return lastDayMs
  const day = text.slice(0, 8)
  if (!isDay(day)) return undefined
  lastDayMs = Date.UTC(digits(day, 0, 4), digits(day, 4, 6) - 1, digits(day, 6, 8))
  lastDay = day
  return lastDayMs
}

/** Whether `YYYYMMDD` is a day of the calendar. */
export function isDay(text: string): boolean {
  const month = digits(text, 4, 6)
  const day = digits(text, 6, 8)
  if (text.length !== 8 || !(month >= 1 && month <= 12 && day >= 1)) return false
  const year = digits(text, 0, 4)
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return day <= (month === 2 && !isLeap ? 28 : (DAYS[month - 1] ?? 0)) && year >= 1000
}

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** A number of decimal digits only; NaN where there is another character. Every request is dated: no regex here. */
function digits(text: string, start: number, end: number): number {
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    value = value * 10 + digit
  }
  return value
}
