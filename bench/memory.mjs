import { readFileSync } from 'node:fs'
import http from 'node:http'
import { startOurs } from './peers.mjs'
import { must, presign } from './sign.mjs'

const BYTES = 64 * 1024 * 1024
const UPLOADS = 64

/** Peak resident memory of the gateway while 64 uploads of 64 MiB run at once. */
export async function memory({ scratch }) {
  const ours = await startOurs(`${scratch}/ours`)
  await must(ours.endpoint, 'PUT', '/bench')
  const before = residentMiB(ours.pid, 'VmRSS')
  const keys = Array.from({ length: UPLOADS }, (_, i) => `u${i}`)
  await Promise.all(
    presign(ours.endpoint, 'PUT', 'bench', keys).map((target) => upload(ours.endpoint, target)),
  )
  console.log(
    `\n${UPLOADS} uploads of 64 MiB at once: resident ${before} MiB before, peak ${residentMiB(ours.pid, 'VmHWM')} MiB`,
  )
  await ours.stop()
}

function residentMiB(pid, field) {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(field))
  return Math.round(Number(line.replace(/\D+/g, '')) / 1024)
}

function upload(endpoint, target) {
  const { hostname, port } = new URL(endpoint)
  const piece = Buffer.alloc(1024 * 1024, 'versitygw-ts')
  return new Promise((resolve, reject) => {
    const request = http.request(
      { hostname, port, method: 'PUT', path: target, headers: { 'Content-Length': BYTES } },
      (response) => {
        response.resume()
        response.on('end', () =>
          response.statusCode === 200
            ? resolve()
            : reject(new Error(`PUT: ${response.statusCode}`)),
        )
      },
    )
    request.on('error', reject)
    let left = BYTES / piece.length
    const next = () => {
      while (left > 0) {
        left--
        if (request.write(piece)) continue
        request.once('drain', next)
        return
      }
      request.end()
    }
    next()
  })
}
