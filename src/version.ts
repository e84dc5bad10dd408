import { createRequire } from 'node:module'

// Read at run time: package.json lies outside what the compiler emits, and is one step up from both src and dist.
const require = createRequire(import.meta.url)

export const GATEWAY_VERSION = field(require('../package.json'), 'version')

/** What `--version` prints. `bin/build-info.mjs` leaves build.json beside the compiled program. */
export function versionText(): string {
  const build = buildInfo()
  return `Version  : ${GATEWAY_VERSION}\nBuild    : ${field(build, 'commit')}\nBuildTime: ${field(build, 'time')}\n`
}

function buildInfo(): unknown {
  try {
    return require('./build.json')
  } catch {
    return undefined
  }
}

function field(document: unknown, name: string): string {
  const value: unknown =
    typeof document === 'object' && document !== null ? Reflect.get(document, name) : undefined
  return typeof value === 'string' ? value : 'unknown'
}
