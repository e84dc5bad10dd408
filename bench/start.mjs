import { startOurs, startVersityGW } from './peers.mjs'
import { report } from './table.mjs'

/** From the start of the program to its first answer, asked for every 50 ms; less is better. */
export async function start({ scratch, rounds }) {
  const results = []
  for (let round = 0; round < rounds; round++) {
    const result = { ours: await upAfterMs(() => startOurs(`${scratch}/start`)) }
    if (process.env.VERSITYGW)
      result.versitygw = await upAfterMs(() => startVersityGW(`${scratch}/start-peer`))
    results.push(result)
  }
  report('Start to first answer', 'ms', results, 'versitygw')
}

async function upAfterMs(startOne) {
  const started = performance.now()
  const gateway = await startOne()
  const upMs = performance.now() - started
  await gateway.stop()
  return upMs
}
