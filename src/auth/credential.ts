import { isDay } from './timestamp.ts'

/** `AK/YYYYMMDD/region/s3/aws4_request`, taken apart. */
export interface Credential {
  readonly accessKey: string
  readonly date: string
  readonly region: string
  /** All but the access key. */
  readonly scope: string
}

/** What is wrong with a credential, in the words both ways of authenticating use. */
export interface CredentialFault {
  readonly fault: string
  /** The region expected, where the region is what is wrong. */
  readonly region?: string
}

/** A client sends the same credential all day. */
let last: { text: string; regions: readonly string[]; credential: Credential } | undefined

/** Reads a credential; `regions` are those accepted, the gateway's own first. */
export function parseCredential(
  text: string,
  regions: readonly string[],
): Credential | CredentialFault {
  if (last?.text === text && last.regions === regions) return last.credential
  const credential = readCredential(text, regions)
  if (!('fault' in credential)) last = { text, regions, credential }
  return credential
}

/** Exactly five fields: an access key holds no slash. */
function readCredential(text: string, regions: readonly string[]): Credential | CredentialFault {
  const first = text.indexOf('/')
  const second = text.indexOf('/', first + 1)
  const third = text.indexOf('/', second + 1)
  const fourth = text.indexOf('/', third + 1)
  const accessKey = text.slice(0, first)
  const date = text.slice(first + 1, second)
  const region = text.slice(second + 1, third)
  const service = text.slice(third + 1, fourth)
  const terminal = text.slice(fourth + 1)
  // Of four slashes each stands behind the one before, and none behind the last.
  if (
    !(first >= 0 && first < second && second < third && third < fourth) ||
    terminal.includes('/')
  ) {
    const form = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'
    return { fault: `the Credential is mal-formed; expecting ${form}.` }
  }
  if (service !== 's3') {
    return { fault: `incorrect service "${service}". This endpoint belongs to "s3".` }
  }
  if (terminal !== 'aws4_request') {
    return { fault: `incorrect terminal "${terminal}". This endpoint uses "aws4_request".` }
  }
  if (!isDay(date)) {
    const form = 'This date in the credential must be in the format "yyyyMMdd".'
    return { fault: `incorrect date format "${date}". ${form}` }
  }
  if (!regions.includes(region)) {
    const expected = regions[0] ?? ''
    return { fault: `the region "${region}" is wrong; expecting "${expected}"`, region: expected }
  }
  return { accessKey, date, region, scope: text.slice(accessKey.length + 1) }
}
