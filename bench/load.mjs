import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const LUA = fileURLToPath(new URL('./wrk.lua', import.meta.url))
const run = promisify(execFile)

/** Drives request targets with wrk; resolves to requests and bytes a second, and latency in µs. */
export async function load(
  scratch,
  endpoint,
  targets,
  { method, connections, seconds, bodyBytes = 0 },
) {
  const file = `${scratch}/targets.txt`
  writeFileSync(file, targets.join('\n'))
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '60s', '-s', LUA, endpoint]
  const { stdout } = await run('wrk', args, {
    env: { ...process.env, TARGETS: file, METHOD: method, BODY_BYTES: String(bodyBytes) },
    maxBuffer: 1 << 24,
  })
  const line = stdout.split('\n').find((text) => text.startsWith('RESULT '))
  if (line === undefined) throw new Error(`wrk printed no result: ${stdout}`)
  const result = JSON.parse(line.slice(7))
  if (result.bad > 0)
    throw new Error(`${result.bad} of ${result.requests} requests failed at ${endpoint}`)
  const elapsed = result.microseconds / 1e6
  return {
    perSecond: result.requests / elapsed,
    bytesPerSecond: result.bytes / elapsed,
    p50: result.p50,
    p99: result.p99,
  }
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}
