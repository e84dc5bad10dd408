import cluster from 'node:cluster'
import { Answering, type OnFault } from './answering.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import {
  DEFAULT_MAX_BYTES,
  DEFAULT_TIMEOUT_MS,
  MAX_OPEN,
  type Answers,
  type AskBounds,
  type ServingProcess,
} from './workers.ts'

/** Beyond the time the primary gives the others: it may be gone, or busy. */
const PRIMARY_MS = 500

/** A worker's side of the channel to its primary. */
export interface WorkerLink {
  /** Resolves with the worker's number and what the primary wants it to do. */
  readonly begun: Promise<{ readonly number: number; readonly task: unknown }>
  /** Resolves when the worker, which has said that it is built, is to listen. */
  readonly listening: Promise<void>
  /** Resolves when the primary wants the worker to stop, or has gone. */
  readonly stopped: Promise<void>
  /** The worker among the others; it answers once it has begun. */
  serving(number: number, onFault: OnFault): ServingProcess
  tell(message: Extract<FromWorker, { kind: 'built' | 'up' | 'failed' }>): Promise<void>
}

/**
 * Joins the primary that forked this process. When the primary goes, nobody hands over connections any more: a worker that
 * listens is to finish what it has and stop, any other one ends at once.
 */
export function joinPrimary(): WorkerLink {
  let answering: Answering | undefined
  const open = new Map<number, (answers: Answers) => void>()
  let nextId = 0
  let begin: (message: { number: number; task: unknown }) => void
  let listen: () => void
  let stop: () => void
  const begun = new Promise<{ number: number; task: unknown }>((resolve) => (begin = resolve))
  const listening = new Promise<void>((resolve) => (listen = resolve))
  const stopped = new Promise<void>((resolve) => (stop = resolve))

  process.on('message', (message: ToWorker) => {
    if (message.kind === 'begin') begin(message)
    else if (message.kind === 'listen') listen()
    else if (message.kind === 'stop') stop()
    else if (message.kind === 'tell')
      void answering?.reply(message.question, message.argument, DEFAULT_MAX_BYTES)
    else if (message.kind === 'answers') open.get(message.id)?.(message.answers)
    else void reply(message)
  })

  outlivePrimary(listening, () => stop())
  void send({ kind: 'ready' })

  async function reply({ id, question, argument, maxBytes }: Asked): Promise<void> {
    const answer = (await answering?.reply(question, argument, maxBytes)) ?? { reason: 'gone' }
    await send({ kind: 'reply', id, reply: answer })
  }

  function ask(question: string, argument: unknown, bounds: AskBounds): Promise<Answers> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES, others = false } = bounds
    if (open.size >= MAX_OPEN) return Promise.resolve(NOBODY)
    const id = nextId++
    return new Promise((resolve) => {
      const settle = (answers: Answers): void => {
        clearTimeout(timer)
        open.delete(id)
        resolve(answers)
      }
      const timer = setTimeout(settle, timeoutMs + PRIMARY_MS, NOBODY)
      open.set(id, settle)
      void send({ kind: 'ask', id, question, argument, bounds: { timeoutMs, maxBytes, others } })
    })
  }

  return {
    begun,
    listening,
    stopped,
    serving(number, onFault) {
      const own = new Answering(onFault)
      answering = own
      return {
        number,
        answer: (question, answerer) => own.add(question, answerer),
        tell: (question, argument) => void send({ kind: 'tell', question, argument }),
        ask: (question, argument, bounds = {}) => ask(question, argument, bounds),
      }
    },
    tell: send,
  }
}

/** When the primary goes this process is stopped, or ends where nothing has been served yet. */
function outlivePrimary(listening: Promise<void>, stop: () => void): void {
  let hasServed = false
  void listening.then(() => (hasServed = true))
  const lost = (): void => {
    if (!hasServed) process.exit(0)
    // Else node:cluster would end the process, and with it whatever it is answering.
    if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true
    stop()
  }
  cluster.worker?.on('disconnect', lost)
  // What node:cluster itself cannot send fails here, unless the end of the channel is seen first.
  process.on('error', lost)
}

type Asked = Extract<ToWorker, { kind: 'ask' }>

/** Nobody could be asked, and who there is cannot be told. */
const NOBODY: Answers = { answers: [], silent: [{ worker: 0, reason: 'gone' }] }

/** Resolves when the primary has it, or is gone. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve()
    process.send(message, undefined, undefined, () => resolve())
  })
}
