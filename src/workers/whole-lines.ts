import type { Readable, Writable } from 'node:stream'

/** A line beyond this is passed on in pieces. */
const MAX_LINE_BYTES = 1024 * 1024

const NEWLINE = 0x0a

/**
 * Passes what workers write on to one output, in whole lines: the kernel mixes writes of several processes to one pipe
 * wherever they are longer than 4096 bytes (PIPE_BUF), and a line of the access log may be. Where nobody takes the output
 * workers are not read either: they count and drop what they cannot write, and here nothing piles up.
 */
export function passWholeLines(from: Readable, to: Writable): void {
  let rest: Buffer[] = []
  let restBytes = 0
  // Each of many workers waits for the same output.
  to.setMaxListeners(0)
  const pass = (last: Buffer): void => {
    const hasRoom = to.write(rest.length === 0 ? last : Buffer.concat([...rest, last]))
    rest = []
    restBytes = 0
    if (hasRoom) return
    from.pause()
    to.once('drain', () => from.resume())
  }
  const keep = (piece: Buffer): void => {
    rest.push(piece)
    restBytes += piece.length
  }
  from.on('data', (piece: Buffer) => {
    const end = piece.lastIndexOf(NEWLINE) + 1
    if (end > 0) pass(piece.subarray(0, end))
    if (end < piece.length) keep(piece.subarray(end))
    if (restBytes > MAX_LINE_BYTES) pass(Buffer.alloc(0))
  })
  from.on('end', () => {
    // Whoever wrote it died before the line was whole.
    if (restBytes > 0) pass(Buffer.from('\n'))
  })
}
