// The last step of a build: copies what is no TypeScript, and leaves beside the program which commit it was made of, and by its time that it is complete.
import { execFileSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)

function commit() {
  if (process.env.COMMIT) return process.env.COMMIT
  try {
    const options = { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], options).trim()
  } catch {
    // Built from an archive.
    return 'unknown'
  }
}

// What the viewer's page is beside its modules.
for (const name of ['index.html', 'viewer.css'])
  copyFileSync(new URL(`src/viewer/page/${name}`, root), new URL(`dist/viewer/page/${name}`, root))

const info = { commit: commit(), time: new Date().toISOString() }
writeFileSync(new URL('dist/build.json', root), `${JSON.stringify(info)}\n`)
