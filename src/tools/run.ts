import type { UtilsCommand } from '../config/utils-command.ts'
import { convertXattrMetadata } from './convert-xattr-metadata.ts'
import { writeEventFilterConfig } from './event-filter-config.ts'

/** Runs one tool of `versitygw-ts utils`; what it prints. */
export async function runTool({
  name,
  directory,
}: Extract<UtilsCommand, { kind: 'run' }>): Promise<string> {
  if (name === 'convert-xattr-metadata') return convertXattrMetadata(directory)
  await writeEventFilterConfig(directory)
  return ''
}
