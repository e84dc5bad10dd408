// Takes OTLP over gRPC on the given port, counts bytes and exports, and prints both when it is ended.
import http2 from 'node:http2'

const counts = { exports: 0, bytes: 0 }
/** Collectors written in Go widen their windows to what the connection carries; with HTTP/2's 64 KiB each export waits 20 times. */
const WINDOW_BYTES = 1024 * 1024
const server = http2.createServer({ settings: { initialWindowSize: WINDOW_BYTES } })
server.on('session', (session) => session.setLocalWindowSize(WINDOW_BYTES))
server.on('stream', (stream) => {
  stream.on('data', (piece) => (counts.bytes += piece.length))
  stream.on('end', () => {
    counts.exports++
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc+proto' },
      { waitForTrailers: true },
    )
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.from([0, 0, 0, 0, 0]))
  })
  stream.on('error', () => {})
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'))
process.on('SIGTERM', () => {
  console.log(JSON.stringify(counts))
  process.exit(0)
})
