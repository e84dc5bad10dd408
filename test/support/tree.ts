import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Every file and directory below `dir`, directories with a slash at the end, in byte order. */
export function treeOf(dir: string): string[] {
  const found: string[] = []
  const walk = (current: string): void => {
    for (const name of readdirSync(current)) {
      const path = join(current, name)
      const isDirectory = lstatSync(path).isDirectory()
      found.push(relative(dir, path) + (isDirectory ? '/' : ''))
      if (isDirectory) walk(path)
    }
  }
  walk(dir)
  return found.toSorted()
}

/** What a failed write may not leave: everything but the directory of temporary files itself. */
export function strayFiles(bucketDir: string): string[] {
  return treeOf(bucketDir).filter(
    (path) => path !== '.sgwtmp/' && path !== '.sgwtmp/multipart/' && !isLock(path),
  )
}

/** Lock files are made once and stay: one for each first byte of a key's hash at most. */
function isLock(path: string): boolean {
  return path === '.sgwtmp/locks/' || /^\.sgwtmp\/locks\/[0-9a-f]{2}$/.test(path)
}

/** Directories whose files have their attributes in a sidecar directory, and which that is. */
const sidecars = new Map<string, string>()

export function registerSidecar(root: string, sidecar: string): void {
  sidecars.set(root, sidecar)
}

/** Where contract 2.6 has the attributes of `path`; undefined where the file has them itself. */
function sidecarOf(path: string): string | undefined {
  for (const [root, sidecar] of sidecars)
    if (path.startsWith(`${root}/`)) return join(sidecar, relative(root, path), 'meta')
  return undefined
}

function sidecarAttributes(directory: string): Record<string, string> {
  let entries: string[]
  try {
    entries = readdirSync(directory)
  } catch {
    return {}
  }
  const names = entries.filter(
    (name) => name !== 'sgw-file' && lstatSync(join(directory, name)).isFile(),
  )
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  )
}

/** Attributes of the `user` name space, without the prefix. */
export function attributesOf(path: string): Record<string, string> {
  const sidecar = sidecarOf(path)
  if (sidecar !== undefined) return sidecarAttributes(sidecar)
  const dump = execFileSync(
    'getfattr',
    ['--absolute-names', '--no-dereference', '-d', '-m', '^user\\.', '-e', 'hex', path],
    {
      encoding: 'utf8',
    },
  )
  const attributes: Record<string, string> = {}
  for (const line of dump.split('\n')) {
    const [, name, hex] =
      /^user\.(.+?)=0x([0-9a-f]*)$/.exec(line) ?? /^user\.(.+)()$/.exec(line) ?? []
    if (name !== undefined) attributes[name] = Buffer.from(hex ?? '', 'hex').toString('utf8')
  }
  return attributes
}

export function setAttribute(path: string, name: string, value: string | Buffer): void {
  const sidecar = sidecarOf(path)
  if (sidecar !== undefined) {
    mkdirSync(sidecar, { recursive: true })
    writeFileSync(join(sidecar, name), value)
    return
  }
  execFileSync('setfattr', [
    '--no-dereference',
    '-n',
    `user.${name}`,
    '-v',
    `0x${Buffer.from(value as string).toString('hex')}`,
    path,
  ])
}

/** One of them, which need not be text. */
export function attributeBytes(path: string, name: string): Buffer {
  return execFileSync('getfattr', [
    '--absolute-names',
    '--no-dereference',
    '--only-values',
    '-n',
    `user.${name}`,
    path,
  ])
}
