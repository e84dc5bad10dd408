import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { S3Error } from '../s3/errors.ts'
import { parseXml, type XmlElement } from './xml-reader.ts'
import type { FromThread, ToThread, XmlDocument } from './xml-thread.ts'

/** Documents up to here are read in a few milliseconds. */
const SMALL_BYTES = 16 * 1024
const MAX_WAITING = 32
const TIMEOUT_MS = 10_000
/** Then the thread ends, and the memory of the largest document with it. */
const IDLE_MS = 30_000
/** Twice what the largest list of parts takes; a small young generation costs no time and is kept from growing. */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 }

/**
 * Reads documents: small ones at once, large ones in a thread of their own (`xml-thread.ts`), since 10,000 parts take a
 * third of a second that the event loop would serve no one else. The thread starts with the first of them and reads one at a time.
 */
export class DocumentParser {
  #thread: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  /** MalformedXML unless it is a document whose root element is `root`; SlowDown where too many wait. */
  async parse(bytes: Uint8Array, root: string): Promise<XmlElement> {
    if (bytes.length <= SMALL_BYTES) return parseXml(bytes, root)
    if (this.#waiting >= MAX_WAITING) throw new S3Error('SlowDown')
    this.#waiting++
    const turn = this.#last.then(() => this.#parseAside({ bytes, root }))
    const done = (): void => {}
    this.#last = turn.then(done, done)
    try {
      return await turn
    } finally {
      this.#waiting--
    }
  }

  async #parseAside(document: XmlDocument): Promise<XmlElement> {
    clearTimeout(this.#idle)
    const thread = (this.#thread ??= startThread())
    try {
      return await exchange(thread, document)
    } catch (error) {
      if (error instanceof S3Error) throw error
      // It may still be at work, or have ended.
      this.#end()
      throw isExhausted(error) ? malformed(error) : error
    } finally {
      this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref()
    }
  }

  #end(): void {
    void this.#thread?.terminate()
    this.#thread = undefined
  }
}

function startThread(): Worker {
  const thread = new Worker(new URL('xml-thread.js', import.meta.url), {
    name: 'xml',
    resourceLimits: HEAP_LIMITS,
    // What Node was told for the gateway (`--input-type`, say) is not for this thread.
    execArgv: [],
  })
  // Whoever waits for a document has a connection, which keeps the gateway alive.
  thread.unref()
  // Whoever waits for an answer is told; where nobody does, the thread is being ended.
  thread.on('error', () => {})
  return thread
}

/** Asks for one piece after the other, so that the event loop serves others between them. */
async function exchange(thread: Worker, document: XmlDocument): Promise<XmlElement> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const children: XmlElement[] = []
  let message: ToThread = document
  for (;;) {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of windows, not of threads
    thread.postMessage(message)
    const [answer] = (await once(thread, 'message', { signal })) as [FromThread]
    if (answer.kind === 'malformed') throw malformed()
    if (answer.kind === 'root') return { ...answer.root, children }
    children.push(...answer.children)
    message = 'next'
  }
}

/** Time or memory: no document that means something needs as much. */
function isExhausted(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    error.name === 'AbortError' || ('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY')
  )
}

function malformed(cause?: unknown): S3Error {
  return new S3Error('MalformedXML', {}, { cause })
}
