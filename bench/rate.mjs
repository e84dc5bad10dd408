/**
 * Sends requests at a constant rate, whether answers come or not: node bench/rate.mjs ENDPOINT TARGETS RATE SECONDS, where
 * TARGETS is a file of request targets. Prints one line of JSON: requests, failures, and latencies in µs, each measured from
 * when its request was due, so that a pause of the server counts for all that had to wait for it.
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

const CONNECTIONS = 16
const [, , endpoint, file, rateText, secondsText] = process.argv
const { hostname, port, host } = new URL(endpoint)
const requests = readFileSync(file, 'utf8')
  .split('\n')
  .map((target) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
const rate = Number(rateText)
const total = rate * Number(secondsText)

const latencies = new Float64Array(total)
/** When requests were due for which there was no connection. */
const waiting = []
const idle = []
let sent = 0
let done = 0
let bad = 0
let startMs = 0

for (let i = 0; i < CONNECTIONS; i++) open()
await new Promise((resolve) => setTimeout(resolve, 100))
startMs = performance.now()
tick()

function open() {
  const socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  const state = { socket, due: 0, left: 0, isHead: true, text: '' }
  socket.on('connect', () => idle.push(state))
  socket.on('data', (bytes) => take(state, bytes))
  socket.on('error', () => process.exit(1))
}

/** Bodies have a length; heads come in one piece, or are put together. */
function take(state, bytes) {
  let at = 0
  if (state.isHead) {
    state.text += bytes.toString('latin1')
    const end = state.text.indexOf('\r\n\r\n')
    if (end < 0) return
    if (!state.text.startsWith('HTTP/1.1 200')) bad++
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(state.text)?.[1] ?? 0)
    at = bytes.length - (state.text.length - end - 4)
    state.left = length
    state.isHead = false
  }
  state.left -= bytes.length - at
  if (state.left > 0) return
  latencies[done++] = (performance.now() - state.due) * 1000
  state.isHead = true
  state.text = ''
  if (done === total) return finish()
  if (waiting.length > 0) send(state, waiting.shift())
  else idle.push(state)
}

function tick() {
  const now = performance.now()
  const due = Math.min(total, Math.floor(((now - startMs) * rate) / 1000))
  while (sent < due) {
    // A timer of this process is late by up to a millisecond: that is no fault of the server's.
    const at = Math.max(startMs + (sent++ * 1000) / rate, now - 1)
    const state = idle.shift()
    if (state === undefined) waiting.push(at)
    else send(state, at)
  }
  if (sent < total) setTimeout(tick, 1)
}

function send(state, due) {
  state.due = due
  state.socket.write(requests[Math.floor(Math.random() * requests.length)])
}

function finish() {
  const sorted = latencies.sort()
  const at = (share) => Math.round(sorted[Math.min(total - 1, Math.floor(total * share))])
  const result = { requests: total, bad, p50: at(0.5), p99: at(0.99), p999: at(0.999), most: at(1) }
  console.log(JSON.stringify(result))
  process.exit(0)
}
