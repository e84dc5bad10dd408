import { join } from 'node:path'
import { writeTextFile } from '../io/write-file.ts'

/** Every event that the gateway tells of (contract 7.3), in the order of the file. */
const EVENTS = [
  's3:ObjectAcl:Put',
  's3:ObjectCreated:*',
  's3:ObjectCreated:CompleteMultipartUpload',
  's3:ObjectCreated:Copy',
  's3:ObjectCreated:Post',
  's3:ObjectCreated:Put',
  's3:ObjectRemoved:*',
  's3:ObjectRemoved:Delete',
  's3:ObjectRemoved:DeleteObjects',
  's3:ObjectRestore:*',
  's3:ObjectRestore:Completed',
  's3:ObjectRestore:Post',
  's3:ObjectTagging:*',
  's3:ObjectTagging:Delete',
  's3:ObjectTagging:Put',
]

/** Writes `event_config.json` with every event on, for somebody to turn some off. */
export async function writeEventFilterConfig(directory: string): Promise<void> {
  const config = Object.fromEntries(EVENTS.map((event) => [event, true]))
  try {
    await writeTextFile(join(directory, 'event_config.json'), JSON.stringify(config, undefined, 2))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`create config file: ${reason}`, { cause })
  }
}
