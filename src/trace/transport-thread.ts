import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { PackageTransport, type TransportOptions } from './exporters.ts'
import { endSilentConnections } from './silent-connections.ts'

/**
 * The thread that sends. An export by gRPC costs about a millisecond of JavaScript and as much garbage collection,
 * whatever its size: on the main thread that would be more than all the rest of tracing.
 */

/** The block is handed over, not copied, and comes back with the answer. */
export type ToThread =
  | {
      readonly kind: 'send'
      readonly id: number
      readonly block: ArrayBuffer
      readonly offset: number
      readonly length: number
      readonly spans: number
    }
  | { readonly kind: 'close' }

export type FromThread =
  | {
      readonly kind: 'sent'
      readonly id: number
      readonly block: ArrayBuffer
      readonly error: SentError | undefined
    }
  | { readonly kind: 'retry'; readonly error: SentError; readonly spans: number }
  | { readonly kind: 'rejected'; readonly spans: number }
  | { readonly kind: 'closed' }

/** Of an error what a message between threads would lose, and its text. */
export interface SentError {
  readonly message: string
  readonly code: string
}

/**
 * Of 19, where 0 is usual: a request goes before the traces of those that are over. A third of a share of a processor
 * is several times what the thread needs where everything is traced.
 */
const NICENESS = 5

/** What gRPC grants an attempt to connect: https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md */
const CONNECT_LIMIT_MS = 20_000

/**
 * A client has one, and two while it changes to another. Several addresses of one name are tried a quarter of a second apart:
 * each has four seconds even where all are tried in vain.
 */
const MAX_CONNECTIONS = 16

const port = parentPort
if (port !== null) {
  yieldToOthers()
  forgetSettings()
  const post = (message: FromThread, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer)
  const options: TransportOptions = workerData
  if (options.protocol === 'grpc') endSilentConnections(CONNECT_LIMIT_MS, MAX_CONNECTIONS)
  const transport = new PackageTransport(options, {
    onRejected: (spans) => post({ kind: 'rejected', spans }),
    onRetry: (error, spans) => post({ kind: 'retry', error: describe(error), spans }),
  })
  transport.open().catch(() => {})
  port.on('message', (message: ToThread) => {
    if (message.kind === 'close') {
      const closed = (): void => post({ kind: 'closed' })
      transport.close().then(closed, closed)
      return
    }
    const { id, block, offset, length, spans } = message
    transport.send({ bytes: new Uint8Array(block, offset, length), spans }, (error) => {
      post({ kind: 'sent', id, block, error: error === undefined ? undefined : describe(error) }, [
        block,
      ])
    })
  })
}

/** Linux keeps a niceness for each thread: https://man7.org/linux/man-pages/man2/setpriority.2.html#BUGS */
function yieldToOthers(): void {
  try {
    setPriority(0, NICENESS)
  } catch {
    // A sandbox refuses it; traces are sent nonetheless.
  }
}

/**
 * Settings have been read from these variables (src/config), which win only where no flag says otherwise. The packages
 * would read them again, and send headers that a flag has replaced. The thread's environment is a copy of its own.
 */
function forgetSettings(): void {
  const { env } = process
  for (const name of Object.keys(env)) if (name.startsWith('OTEL_')) delete env[name]
}

function describe(error: Error): SentError {
  return { message: error.message, code: 'code' in error ? String(error.code) : '' }
}
