// Makes a checkout runnable: packages, addon, compiled program. Does nothing, quickly, where all of them are up to date.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync, readdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const MIN_NODE = [20, 19]

checkNode()
const needsAddon = isOlder(['native/build/addon.node'], filesIn('native', /(?:\.[ch]|Makefile)$/))
if (needsAddon) checkCompiler()
if (!hasPackages()) {
  npm('installing packages', ['ci', '--include=dev', '--no-audit', '--no-fund'])
}
// build.json is written last: an older one tells of sources that changed, or of a build that failed.
const sources = [...filesIn('src', /(?<!\.test|\.test-d)\.ts$/), 'tsconfig.json', 'package.json']
if (needsAddon || isOlder(['dist/build.json'], sources)) {
  npm('building', ['run', '--silent', 'build'])
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return
  fail(`Node.js ${MIN_NODE.join('.')} or newer is needed; this is ${process.versions.node}`)
}

function checkCompiler() {
  const missing = [process.env.CC ?? 'cc', 'make'].filter((tool) => !isInPath(tool))
  if (missing.length === 0) return
  fail(
    `${missing.join(' and ')} not found: a C compiler is needed, apt-get install build-essential`,
  )
}

function isInPath(tool) {
  const [program] = tool.split(' ')
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(program.includes('/') ? program : join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * Whether node_modules holds what package-lock.json asks for; what is optional may be missing, for it is another
 * platform's. By content, not by time: a checkout or a branch gives the lock file a new time and the same packages.
 */
function hasPackages() {
  const installed = packagesOf('node_modules/.package-lock.json')
  if (installed === undefined) return false
  return Object.entries(packagesOf('package-lock.json')).every(([path, { version, optional }]) => {
    const found = installed[path]
    return path === '' || (found === undefined ? optional === true : found.version === version)
  })
}

function packagesOf(lock) {
  try {
    return JSON.parse(readFileSync(join(ROOT, lock), 'utf8')).packages
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether one of `results` is missing or was made before the last change of `sources`. */
function isOlder(results, sources) {
  const made = Math.min(...results.map((path) => mtime(path) ?? 0))
  return sources.some((path) => (mtime(path) ?? 0) > made)
}

function mtime(path) {
  return statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs
}

function filesIn(directory, pattern) {
  return readdirSync(join(ROOT, directory), { recursive: true })
    .map((name) => join(directory, name))
    .filter((path) => pattern.test(path))
}

function npm(what, args) {
  console.error(`set-up: ${what} (npm ${args.join(' ')})`)
  const { status } = spawnSync('npm', args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (status !== 0) fail(`npm ${args[0]} failed`)
}

function fail(message) {
  console.error(`set-up: ${message}`)
  process.exit(1)
}
