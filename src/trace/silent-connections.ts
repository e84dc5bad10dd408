import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/**
 * Ends connections of this thread on which nothing has come so long after they were begun, and the oldest where there are
 * more than `maxConnections`. Gives back what stops that.
 *
 * A gRPC server speaks first: its SETTINGS open the connection. grpc-js waits for them for ever, and forgets a connection
 * that still waits when its client is closed: a receiver that takes connections and hangs would be left more of them by each
 * client that is given up, thousands a day. One that hangs after the TLS handshake has sent something; what it
 * was cannot be seen from here, so their number has to do.
 */
export function endSilentConnections(limitMs: number, maxConnections: number): () => void {
  const open = new Set<Socket>()
  const watch = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket }
    const timer = setTimeout(() => {
      if (socket.bytesRead === 0) socket.destroy()
    }, limitMs)
    timer.unref()
    socket.once('close', () => {
      clearTimeout(timer)
      open.delete(socket)
    })
    open.add(socket)
    const [oldest] = open
    if (open.size > maxConnections) oldest?.destroy()
  }
  subscribe('net.client.socket', watch)
  return () => unsubscribe('net.client.socket', watch)
}
