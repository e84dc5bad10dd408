import { ConfigError, type Config } from './config.ts'
import { openForAppending } from './io/rotating-file.ts'

/**
 * Opens the file of `--otel-exporter file` once, before anything is served: later its traces would be lost one by one.
 * Throws ConfigError, which names the setting.
 */
export async function checkTracingFile({ tracing, sources }: Config): Promise<void> {
  if (!tracing.enabled || !tracing.exporters.includes('file')) return
  const { path } = tracing.file
  try {
    const file = await openForAppending(path)
    await file.close()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const name = sources.otelFile === 'default' ? '--otel-file' : sources.otelFile
    throw new ConfigError(`${name}: ${path} cannot be written: ${code}`, { cause: error })
  }
}
