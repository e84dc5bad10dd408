import { setting, toggle } from './setting.ts'
import { ConfigError } from './values.ts'

/** Error reports to Sentry, or to what speaks its protocol. */
export const SENTRY_SETTINGS = {
  sentryEnabled: toggle({
    flag: 'sentry-enabled',
    env: 'VGW_SENTRY_ENABLED',
    help: 'report answers of 5xx and crashes to Sentry',
  }),
  sentryDsn: setting({
    flag: 'sentry-dsn',
    env: 'VGW_SENTRY_DSN',
    parse: dsn,
    secret: true,
    help: 'where to: the DSN of a project, https://KEY@HOST/PROJECT',
  }),
}

/** https://develop.sentry.dev/sdk/foundations/transport/authentication/#parsing-the-dsn; its key is told to nobody, not in errors either. */
function dsn(value: string): string {
  const text = value.trim()
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isDsn =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    /^\w+$/.test(url.username) &&
    /\/\w+$/.test(url.pathname) &&
    url.search === ''
  if (!isDsn) throw new ConfigError('is not a DSN (https://KEY@HOST/PROJECT)')
  return text
}
