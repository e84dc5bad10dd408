/** Span names. The rest of a span's name is an operation or a file operation; what varies beyond that is an attribute. */
export const SPAN = {
  root: joined('S3.'),
  adminRoot: joined('Admin.'),
  auth: 'Auth.V4Signature',
  access: 'Auth.Access',
  iam: joined('IAM.'),
  backend: joined('Backend.'),
  syscall: joined('Posix.Syscall.'),
  openTmpFile: 'Posix.IO.OpenTmpFile',
  writeData: 'Posix.IO.WriteData',
  linkFile: 'Posix.IO.LinkFile',
  assembleParts: 'Posix.IO.AssembleParts',
  copyPart: 'Posix.IO.CopyPart',
  fastFileCopy: 'Posix.IO.FastFileCopy',
  copyFileRange: 'Posix.IO.CopyFileRange',
  openFile: 'Posix.IO.OpenFile',
  readMetadata: 'Posix.IO.ReadMetadata',
  writeMetadata: 'Posix.IO.WriteMetadata',
  readData: 'Posix.IO.ReadData',
  sendFile: 'Posix.IO.SendFile',
  listDir: 'Posix.IO.ListDir',
  statBatch: 'Posix.IO.StatBatch',
  makeParents: 'Posix.IO.MakeParents',
  removeFile: 'Posix.IO.RemoveFile',
  pruneParents: 'Posix.IO.PruneParents',
  sync: 'Posix.IO.Sync',
  waitLock: 'Posix.IO.WaitLock',
} as const

/**
 * Joins prefix and operation, handing out the same string each time: the encoder finds what it has prepared for a name
 * much faster when it need not hash a new string. Operations are a closed set, so the table stays small.
 */
function joined(prefix: string): (operation: string) => string {
  const known = new Map<string, string>()
  return (operation) => {
    const found = known.get(operation)
    if (found !== undefined) return found
    const name = prefix + operation
    known.set(operation, name)
    return name
  }
}
