import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { OperationSlots } from '../trace/activity-slots.ts'
import { TraceStore, type StoreOptions } from '../trace/trace-store.ts'
import { createLocalTraces } from './local-traces.ts'
import { gather } from './gathered.ts'
import type { Asked, Question } from './questions.ts'
import type { Surroundings } from './trace-view.ts'

/** The thread that holds traces and answers what is asked about them. */

export interface ThreadOptions extends StoreOptions {
  /** How many blocks of traces have been taken. */
  readonly taken: Int32Array
}

export type ToThread =
  | { readonly kind: 'surroundings'; readonly surroundings: Surroundings }
  | { readonly kind: 'operation'; readonly name: string; readonly memory: SharedArrayBuffer }
  | { readonly kind: 'traces'; readonly batch: Uint8Array<ArrayBuffer> }
  | {
      readonly kind: 'ask'
      readonly id: number
      readonly question: Question
      readonly others: readonly Uint8Array[] | undefined
      /** Traces that were kept but not handed over. */
      readonly thinned: number
    }

export type FromThread = { readonly id: number } & (Asked | { readonly error: string })

/** Linux gives each thread a niceness of its own: where processors are scarce, requests come first. */
const NICENESS = 5

const port = parentPort
if (port !== null) {
  giveWay()
  const { taken, ...options }: ThreadOptions = workerData
  const store = new TraceStore(options)
  const operations = new Map<string, OperationSlots>()
  let surroundings: Surroundings = { resource: {}, place: undefined, worker: 0 }
  const answer = ({ question, others, thinned }: Extract<ToThread, { kind: 'ask' }>): Asked => {
    const local = createLocalTraces({ store, operations, thinned }, surroundings)
    return gather(question, { local, worker: surroundings.worker }, others)
  }
  port.on('message', (message: ToThread) => {
    if (message.kind === 'traces') {
      store.take(message.batch)
      Atomics.add(taken, 0, 1)
    } else if (message.kind === 'operation') {
      operations.set(message.name, new OperationSlots(message.name, message.memory))
    } else if (message.kind === 'surroundings') {
      ;({ surroundings } = message)
    } else {
      const { id } = message
      const post = (reply: FromThread, transfer: ArrayBuffer[] = []): void =>
        port.postMessage(reply, transfer)
      try {
        const asked = answer(message)
        post({ id, ...asked }, [asked.body.buffer])
      } catch (error) {
        post({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
      }
    }
  })
}

function giveWay(): void {
  try {
    setPriority(NICENESS)
  } catch {
    // Where it may not be changed the thread is one among equals.
  }
}
