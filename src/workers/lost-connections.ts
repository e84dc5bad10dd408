import type { ChildProcess } from 'node:child_process'

/**
 * Closes the connections that node:cluster has handed to a worker which ended before it took them.
 *
 * The primary keeps its copy of a connection until the worker says that it has it (`ack`), and never lets go of it when
 * the worker says nothing any more: the client would wait for ever on an open connection. Should Node.js name these messages
 * otherwise one day, nothing is found here, and clients wait as they do without this.
 */
export function closeLostConnections(worker: ChildProcess): void {
  const handed = new Map<unknown, Closable>()
  const send = worker.send.bind(worker) as (message: unknown, ...rest: unknown[]) => boolean
  worker.send = (message: unknown, ...rest: unknown[]): boolean => {
    const [handle] = rest
    if (isHandingOver(message) && isClosable(handle)) handed.set(message.seq, handle)
    return send(message, ...rest)
  }
  worker.on('internalMessage', (message: { readonly ack?: unknown }) => handed.delete(message.ack))
  worker.once('exit', () => {
    for (const handle of handed.values()) handle.close()
    handed.clear()
  })
}

interface Closable {
  close(): void
}

function isHandingOver(message: unknown): message is { readonly seq: unknown } {
  return (
    typeof message === 'object' &&
    message !== null &&
    Reflect.get(message, 'cmd') === 'NODE_CLUSTER' &&
    Reflect.get(message, 'act') === 'newconn'
  )
}

function isClosable(handle: unknown): handle is Closable {
  return typeof handle === 'object' && handle !== null && 'close' in handle
}
