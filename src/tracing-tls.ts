import { createSecureContext } from 'node:tls'
import type { Logger } from 'pino'
import { ConfigError, type Config } from './config.ts'
import { readPemFile } from './io/tls-files.ts'
import type { TlsTexts } from './trace/exporters.ts'
import type { Tracing } from './trace/tracing.ts'

/**
 * What `--otel-ca`, `--otel-cert` and `--otel-key` name. Read and looked at before anything is served: a thread that
 * sends traces would find out with the first of them, and lose them all. Throws ConfigError, which names the setting.
 */
export async function readTracingTls({ tracing, sources }: Config): Promise<TlsTexts> {
  if (!tracing.enabled || !tracing.exporters.includes('otlp')) return {}
  const { ca, cert, key } = tracing.tlsFiles
  const texts = {
    ca: await readPem(ca, sources.otelCa),
    cert: await readPem(cert, sources.otelCert),
    key: await readPem(key, sources.otelKey),
  }
  check(sources.otelCa, { ca: texts.ca })
  check(sources.otelCert, { cert: texts.cert })
  check(sources.otelKey, texts)
  return texts
}

/**
 * Reads them anew; those in use stay where that fails, which the log tells. Never rejects. Resolves with the line that tells of
 * success, where there is anything to reload.
 */
export async function reloadTracingTls(
  config: Config,
  tracing: Tracing,
  log: Logger,
): Promise<string | undefined> {
  const { ca, cert, key } = config.tracing.tlsFiles
  const files = [ca && `ca: ${ca}`, cert && `cert: ${cert}`, key && `key: ${key}`].filter(Boolean)
  try {
    const texts = await readTracingTls(config)
    if (Object.values(texts).every((text) => text === undefined)) return undefined
    tracing.renewTls(texts)
  } catch (error) {
    log.error({ err: error }, 'otel cert reload failed')
    return undefined
  }
  return `otel cert reloaded (${files.join(', ')})`
}

async function readPem(path: string | undefined, source: string): Promise<string | undefined> {
  if (path === undefined) return undefined
  let text: string
  try {
    text = await readPemFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigError(`${source}: ${path} cannot be read: ${code}`, { cause: error })
  }
  if (!text.includes('-----BEGIN ')) throw new ConfigError(`${source}: ${path} is not a PEM file`)
  return text
}

/** OpenSSL's complaint holds nothing of the file. */
function check(source: string, texts: TlsTexts): void {
  try {
    createSecureContext(
      Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined)),
    )
  } catch (error) {
    throw new ConfigError(`${source}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
