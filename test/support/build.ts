import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Before the first test: what e2e and native tests run is built from the sources as they are now. */
export function setup(): void {
  execFileSync(process.execPath, [fileURLToPath(new URL('../../bin/setup.mjs', import.meta.url))], {
    stdio: 'inherit',
  })
}
