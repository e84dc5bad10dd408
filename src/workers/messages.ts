import type { Reply } from './answering.ts'
import type { Answers } from './workers.ts'

/** What a primary tells its workers. */
export type ToWorker =
  /** Once, when it is ready: who the worker is and what it is to serve. */
  | { readonly kind: 'begin'; readonly number: number; readonly task: unknown }
  /** When all have built what serves: they listen from now on. */
  | { readonly kind: 'listen' }
  | ({ readonly kind: 'ask'; readonly id: number; readonly maxBytes: number } & Question)
  | ({ readonly kind: 'tell' } & Question)
  /** To what it asked itself. */
  | { readonly kind: 'answers'; readonly id: number; readonly answers: Answers }
  | { readonly kind: 'stop' }

/** What a worker tells its primary. */
export type FromWorker =
  /** Once, first: it listens to this channel. What came before is lost: node:cluster drops it. */
  | { readonly kind: 'ready' }
  /** It could listen; `facts` are for whoever started the workers. */
  | { readonly kind: 'built'; readonly facts: unknown }
  /** It listens. */
  | { readonly kind: 'up'; readonly facts: unknown }
  /** It cannot start: one line that says why. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'reply'; readonly id: number; readonly reply: Reply }
  | ({ readonly kind: 'ask'; readonly id: number; readonly bounds: Bounds } & Question)
  /** For the others. */
  | ({ readonly kind: 'tell' } & Question)

interface Question {
  readonly question: string
  readonly argument: unknown
}

export interface Bounds {
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly others: boolean
}
