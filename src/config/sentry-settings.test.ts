import { describe, expect, test } from 'vitest'
import { SENTRY_SETTINGS } from './sentry-settings.ts'
import { loadConfig } from '../config.ts'

const ROOT = { ROOT_ACCESS_KEY: 'access', ROOT_SECRET_KEY: 'secret' }

async function load(line: string, env: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const command = await loadConfig(line.split(' '), { ...ROOT, ...env })
  return command.kind === 'serve' ? command.config.sentry : command
}

describe('error reports', () => {
  test.each([
    ['--sentry-enabled', '--sentry-enabled needs --sentry-dsn'],
    ['--sentry-enabled --sentry-dsn secret-nonsense', '--sentry-dsn: is not a DSN'],
    ['--sentry-dsn https://host/1', '--sentry-dsn: is not a DSN'],
    ['--sentry-dsn https://key@host', '--sentry-dsn: is not a DSN'],
    ['--sentry-dsn ftp://key@host/1', '--sentry-dsn: is not a DSN'],
  ])('%s', async (flags, message) => {
    const error: unknown = await load(`${flags} posix /d`).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain(message)
    expect(String(error)).not.toContain('secret-nonsense')
  })

  test('are off unless they are turned on', async () => {
    const dsn = 'https://key@sentry.example.com/sub/42'
    expect(await load('posix /d', { VGW_SENTRY_DSN: dsn })).toBeUndefined()
    const env = { VGW_SENTRY_DSN: dsn, VGW_SENTRY_ENABLED: 'true' }
    expect(await load('posix /d', env)).toEqual({ dsn })
    expect(SENTRY_SETTINGS.sentryDsn.secret).toBe(true)
  })
})
