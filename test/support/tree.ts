import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync } from 'node:fs'
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

/** Attributes of the `user` name space, without the prefix. */
export function attributesOf(path: string): Record<string, string> {
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
