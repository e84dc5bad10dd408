/** A moment as ISO 8601 writes it, in the form in which VersityGW stores it. */
export interface IsoTime {
  /** Seconds, then nanoseconds as far as they are not 0, then the zone as it was given; `Z` where that is UTC. */
  readonly text: string
  /** Milliseconds since the epoch. */
  readonly ms: number
}

const FORM =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(?:Z|([+-])([01]\d|2[0-3])(:?)([0-5]\d))$/

/**
 * RFC 3339, `2030-01-02T03:04:05.6+07:00`; undefined where it is not, or where there is no such moment. Documents may leave
 * the colon out of the zone.
 */
export function parseIsoTime(text: string, { compactZone = false } = {}): IsoTime | undefined {
  const match = FORM.exec(text)
  if (match === null) return undefined
  const [, seconds = '', fraction = '', sign, hours = '', colon, minutes = ''] = match
  if (sign !== undefined && colon === '' && !compactZone) return undefined
  const utc = Date.parse(`${seconds}Z`)
  // Date.parse takes the 30th of February for the 2nd of March, and 24:00 for the next day.
  if (Number.isNaN(utc) || new Date(utc).toISOString().slice(0, 19) !== seconds) return undefined
  const nanoseconds = fraction.slice(0, 9).replace(/0+$/, '')
  const shift = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
  const zone = shift === 0 ? 'Z' : `${sign ?? ''}${hours}:${minutes}`
  return {
    text: seconds + (nanoseconds === '' ? '' : `.${nanoseconds}`) + zone,
    ms: utc - shift * 60_000 + Number(nanoseconds.slice(0, 3).padEnd(3, '0')),
  }
}

/** Whole seconds of UTC, as headers have it. */
export function utcSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
