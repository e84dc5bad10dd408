/** What went wrong at the start: one line, whatever it was. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port, address }: NodeJS.ErrnoException & { port?: number; address?: string } = error
  if (code === 'EADDRINUSE') {
    const place = port === undefined || port < 0 ? socketName(address) : `port ${port}`
    return `${place} is in use: choose another with --port`
  }
  return error.message.replaceAll('\n', ' ')
}

function socketName(path = ''): string {
  return `socket ${path.replace(/^\0/, '@')}`
}
