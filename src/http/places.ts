import { createServer } from 'node:net'
import { clearSocketPath } from '../io/unix-socket.ts'
import { expandNames } from './addresses.ts'
import type { Listener } from './listener.ts'

/**
 * Places as several workers can listen at them together: each worker asks for the same ones and the first binds them for all.
 * So names become addresses and port 0 a free port once, and what dead processes left at the paths of sockets is removed
 * once. Rejects where a name leads nowhere and where somebody listens at a path.
 */
export async function sharedPlaces(listeners: readonly Listener[]): Promise<readonly Listener[]> {
  const places: Listener[] = []
  // One after the other: a port that was free is not chosen twice while it is not bound yet.
  for (const listener of await expandNames(listeners)) {
    if ('path' in listener) await clearSocketFile(listener.path)
    const isFree = 'port' in listener && listener.port === 0
    places.push(isFree ? { ...listener, port: await freePort(listener.host) } : listener)
  }
  return places
}

/** Removes what a dead process left there. A socket in the abstract name space goes with its process. */
export async function clearSocketFile(path: string): Promise<void> {
  if (!path.startsWith('\0')) await clearSocketPath(path)
}

function freePort(host: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port: 0 }, () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new Error('no port')),
      )
    })
  })
}
