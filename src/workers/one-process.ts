import { Answering, type OnFault } from './answering.ts'
import { Asking } from './asking.ts'
import {
  DEFAULT_MAX_BYTES,
  DEFAULT_TIMEOUT_MS,
  MAX_OPEN,
  type AskBounds,
  type Answers,
  type ServingProcess,
} from './workers.ts'

/** A gateway of one process: the first worker, which asks itself. */
export function oneProcess(onFault: OnFault): ServingProcess {
  const answering = new Answering(onFault)
  let open = 0
  const ask = async (question: string, argument: unknown, bounds: AskBounds): Promise<Answers> => {
    const asking = new Asking(
      bounds.others === true ? [] : [1],
      bounds.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    )
    if (bounds.others === true) return asking.answers
    if (open >= MAX_OPEN) {
      asking.take(1, { reason: 'busy' })
      return asking.answers
    }
    open++
    void answering
      .reply(question, argument, bounds.maxBytes ?? DEFAULT_MAX_BYTES)
      .then((reply) => asking.take(1, reply))
      .finally(() => open--)
    return asking.answers
  }
  return {
    number: 1,
    answer: (question, answerer) => answering.add(question, answerer),
    tell: () => undefined,
    ask: (question, argument, bounds = {}) => ask(question, argument, bounds),
  }
}
