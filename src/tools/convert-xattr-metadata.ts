import { constants } from 'node:os'
import { convertMetadata, type Conversion } from '../backend/posix/convert-metadata.ts'
import { UsageError } from '../config/values.ts'
import type { Io } from '../io/io.ts'
import { IoError } from '../io/io-error.ts'
import { createIo } from '../io/native.ts'

/** Converts the objects below `directory`; the summary to print. What fails is said on standard error, line by line. */
export async function convertXattrMetadata(directory: string): Promise<string> {
  const io = createIo()
  try {
    const done = await convertMetadata(io, openDirectory(io, directory), (path, error) =>
      process.stderr.write(`${path}: ${error.message}\n`),
    )
    return summary(directory, done)
  } finally {
    await io.close()
  }
}

function openDirectory(io: Io, directory: string): number {
  try {
    return io.openRoot(directory)
  } catch (cause) {
    if (cause instanceof IoError && cause.errno === constants.errno.ENOTDIR)
      throw new UsageError(`not a directory: ${directory}`, 2)
    const isMissing = cause instanceof IoError && cause.errno === constants.errno.ENOENT
    const reason = isMissing ? 'no such file or directory' : String(cause)
    throw new Error(`stat directory: ${directory}: ${reason}`, { cause })
  }
}

/** In VersityGW's words. */
function summary(directory: string, { scanned, converted, skipped, errors }: Conversion): string {
  return (
    'xattr metadata conversion is finished:\n' +
    `  directory: ${directory}\n  scanned: ${scanned}\n  converted: ${converted}\n` +
    `  skipped: ${skipped}\n  errors: ${errors}\n`
  )
}
