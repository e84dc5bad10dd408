import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * A file of the built program (`dist:viewer/page/index.html`) or of a package that it depends on
 * (`package:uplot/dist/uPlot.esm.js`). Rejects where it is missing.
 */
export function readPageFile(name: string): Promise<Buffer> {
  const [, kind, path = ''] = /^(dist|package):(.+)$/.exec(name) ?? []
  return readFile(kind === 'dist' ? new URL(`../${path}`, import.meta.url) : require.resolve(path))
}
