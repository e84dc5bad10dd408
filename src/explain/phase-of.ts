import type { Phase } from './explanation.ts'

/** The phase that a span's own time belongs to, by its name; a data span's time is divided further by its attributes. */
export function phaseOf(name: string): Phase {
  const known = PHASES[name]
  if (known !== undefined) return known
  if (name.startsWith('Posix.Syscall.'))
    return SYSCALLS[name.slice('Posix.Syscall.'.length)] ?? 'metadata'
  if (name.startsWith('IAM.')) return 'iam'
  if (name.startsWith('Auth.')) return 'auth'
  return 'other'
}

const PHASES: Readonly<Record<string, Phase | undefined>> = {
  'Posix.IO.OpenTmpFile': 'metadata',
  'Posix.IO.WriteData': 'data',
  'Posix.IO.LinkFile': 'metadata',
  'Posix.IO.AssembleParts': 'data',
  'Posix.IO.CopyPart': 'data',
  'Posix.IO.FastFileCopy': 'data',
  'Posix.IO.CopyFileRange': 'data',
  'Posix.IO.OpenFile': 'metadata',
  'Posix.IO.ReadMetadata': 'metadata',
  'Posix.IO.WriteMetadata': 'metadata',
  'Posix.IO.ReadData': 'data',
  'Posix.IO.SendFile': 'data',
  'Posix.IO.ListDir': 'directory',
  'Posix.IO.StatBatch': 'directory',
  'Posix.IO.MakeParents': 'metadata',
  'Posix.IO.RemoveFile': 'metadata',
  'Posix.IO.PruneParents': 'metadata',
  'Posix.IO.Sync': 'sync',
  'Posix.IO.WaitLock': 'lock',
}

const SYSCALLS: Readonly<Record<string, Phase | undefined>> = {
  getdents64: 'directory',
  fsync: 'sync',
  fdatasync: 'sync',
  ofd_setlk: 'lock',
  pread: 'data',
  pwritev: 'data',
  fallocate: 'data',
  ftruncate: 'data',
  sync_file_range: 'data',
  ficlonerange: 'data',
  copy_file_range: 'data',
  sendfile: 'data',
}
