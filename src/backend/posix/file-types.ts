import type { FileStat } from '../../io/io.ts'

const S_IFMT = 0o170000
const S_IFDIR = 0o040000
const S_IFREG = 0o100000

export function isDirectory(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR
}

export function isRegular(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFREG
}
