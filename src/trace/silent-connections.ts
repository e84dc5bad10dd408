import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/**
 * Ends connections of this thread on which nothing has come so long after they were begun. Gives back what stops that.
 *
 * A gRPC server speaks first: its SETTINGS open the connection. grpc-js waits for them for ever, and forgets a connection
 * that still waits when its client is closed: a receiver that takes connections and hangs would be left more of them by each
 * client that is given up, two thousand a day.
 */
export function endSilentConnections(limitMs: number): () => void {
  const watch = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket }
    const timer = setTimeout(() => {
      if (socket.bytesRead === 0) socket.destroy()
    }, limitMs)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  }
  subscribe('net.client.socket', watch)
  return () => unsubscribe('net.client.socket', watch)
}
