/** A place to listen at that could not be opened; `cause` says why. */
class PlaceError extends Error {
  /** By which it was chosen. */
  readonly flag: string

  constructor(flag: string, cause: unknown) {
    super(`${flag}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.flag = flag
  }
}

/** Opens a place to listen at; where that fails, the error says which flag chose it. */
export async function opening<T>(flag: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    throw new PlaceError(flag, error)
  }
}

/** What went wrong at the start: one line, whatever it was. */
export function explain(error: unknown): string {
  if (error instanceof PlaceError) return takenPlace(error) ?? oneLine(error.message)
  return error instanceof Error ? oneLine(error.message) : String(error)
}

function takenPlace({ flag, cause }: PlaceError): string | undefined {
  if (!(cause instanceof Error)) return undefined
  const { code, port, address }: NodeJS.ErrnoException & { port?: number; address?: string } = cause
  if (code !== 'EADDRINUSE') return undefined
  const place = port === undefined || port < 0 ? socketName(address) : `port ${port}`
  return `${place} is in use: choose another with ${flag}`
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ')
}

function socketName(path = ''): string {
  return `socket ${path.replace(/^\0/, '@')}`
}
