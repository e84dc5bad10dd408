// Takes OTLP over gRPC on the given port, counts bytes and exports, and prints both when it is ended.
import http2 from 'node:http2'

const counts = { exports: 0, bytes: 0 }
const server = http2.createServer()
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
