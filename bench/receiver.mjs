import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { load } from './load.mjs'
import { startOurs } from './peers.mjs'
import { must, presign } from './sign.mjs'

/** What a receiver may be: `refuses` has nobody listening, `hangs` takes everything and answers nothing. */
const RECEIVERS = ['refuses', 'hangs']

/**
 * Memory of a gateway that traces every request towards a receiver that is no good, under load for `rounds` × `seconds`, and
 * how long it takes to stop then. Ten minutes: node bench/run.mjs receiver --rounds 60 --seconds 10
 */
export async function receiver({ scratch, rounds, seconds }) {
  for (const kind of RECEIVERS) {
    const silent = createServer((socket) => socket.on('error', () => {}).resume())
    await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address()
    if (kind === 'refuses') await new Promise((resolve) => silent.close(resolve))
    const tracing = `127.0.0.1:${port}`
    const ours = await startOurs(`${scratch}/${kind}`, { tracing })
    await must(ours.endpoint, 'PUT', '/bench')
    const keys = Array.from({ length: 1000 }, (_, i) => `o${i}`)
    for (const key of keys)
      await must(ours.endpoint, 'PUT', `/bench/${key}`, { body: Buffer.alloc(4096) })
    const resident = []
    let rate = 0
    for (let round = -1; round < rounds; round++) {
      const targets = presign(ours.endpoint, 'GET', 'bench', keys)
      const shared = { connections: 16, seconds, method: 'GET' }
      rate = (await load(scratch, ours.endpoint, targets, shared)).perSecond
      resident.push(residentMiB(ours.pid))
    }
    const started = performance.now()
    await ours.stop()
    const stopMs = Math.round(performance.now() - started)
    const [warm, ...later] = resident
    console.log(
      `\nreceiver ${kind}: ${Math.round(rate)} GET/s of 4 KiB; resident ${warm} MiB after ${seconds} s, ` +
        `at most ${Math.max(...later)} MiB and at last ${later.at(-1)} MiB in ${rounds * seconds} s more; stopped in ${stopMs} ms`,
    )
    silent.close()
  }
}

function residentMiB(pid) {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith('VmRSS'))
  return Math.round(Number(line.replace(/\D+/g, '')) / 1024)
}
