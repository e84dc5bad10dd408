import { spawnSync } from 'node:child_process'
import { bin } from './gateway.ts'

/**
 * Before the first test: what end-to-end and native tests run is built from the sources as they are now. Where the
 * compiler complains the tests run all the same, on what it has written in spite of that.
 */
export function setup(): void {
  const { status } = spawnSync(process.execPath, [bin('setup.mjs')], { stdio: 'inherit' })
  if (status !== 0) console.warn('the build has errors: some tests may run an older program')
}
