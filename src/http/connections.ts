import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Connections of a service, over all its listeners. */
export interface ConnectionCounts {
  open: number
  accepted: number
  /** Closed at once, since `max` were open. */
  refused: number
}

/**
 * Counts a server's connections and refuses those beyond `max`.
 *
 * Node's own `maxConnections` will not do among workers: there a connection that one refuses is offered to the next, and
 * round and round when all are full.
 */
export function countConnections(server: Server, counts: ConnectionCounts, max: number): void {
  const accepting = server.listeners('connection')
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    if (counts.open >= max) {
      counts.refused++
      socket.destroy()
      return
    }
    counts.open++
    counts.accepted++
    socket.once('close', () => counts.open--)
    for (const accept of accepting) Reflect.apply(accept, server, [socket])
  })
}
