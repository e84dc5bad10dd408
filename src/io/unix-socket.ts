import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'

/**
 * Clears the place where a socket is to be bound: a socket file that a dead process left is removed. Rejects where the
 * path is something else, and with EADDRINUSE where somebody still listens on it.
 */
export async function clearSocketPath(path: string): Promise<void> {
  const stat = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (stat === undefined) return
  if (!stat.isSocket()) throw new Error(`${path} already exists and is not a socket`)
  if (await isListening(path)) {
    throw Object.assign(new Error(`${path} is in use`), { code: 'EADDRINUSE', address: path })
  }
  await unlink(path)
}

/** connect(2) is refused where the process that bound the file is gone. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => settle(true))
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    // A full backlog (EAGAIN) and one we may not talk to (EACCES) have somebody behind them.
    socket.on('error', ({ code }: NodeJS.ErrnoException) =>
      settle(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    )
  })
}

/** Runs `bind`, which makes socket files at once, so that they have no permissions until `openSocket` gives them some. */
export function bindClosed<T>(bind: () => T): T {
  const before = process.umask(0o777)
  try {
    return bind()
  } finally {
    process.umask(before)
  }
}

export async function openSocket(path: string, mode: number): Promise<void> {
  await chmod(path, mode)
}
