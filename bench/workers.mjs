import { clean, startOurs } from './peers.mjs'
import { fillWith, measure } from './small.mjs'
import { report } from './table.mjs'

/**
 * 4 KiB GET and PUT with one worker, with two and with metrics. BEFORE names `bin/versitygw-ts` of another checkout, to be
 * measured beside it.
 */
export async function workers({ scratch, rounds, seconds }) {
  const gateways = [
    await startOurs(`${scratch}/one`, { name: '1 worker' }),
    await startOurs(`${scratch}/two`, { name: '2 workers', flags: ['--workers', '2'] }),
    await startOurs(`${scratch}/metrics`, {
      name: 'metrics',
      flags: ['--metrics-port', `${scratch}/metrics.sock`],
    }),
  ]
  if (process.env.BEFORE)
    gateways.push(await startOurs(`${scratch}/before`, { name: 'before', bin: process.env.BEFORE }))
  const keys = await fillWith(gateways)
  for (const connections of [16, 64]) {
    const shared = { scratch, rounds, seconds, connections, gateways }
    report(
      `GET 4 KiB, ${connections} connections`,
      'requests/s',
      await measure(shared, 'GET', keys, undefined),
      '1 worker',
    )
    const fresh = Array.from({ length: 20_000 }, (_, i) => `p${connections}-${i}`)
    report(
      `PUT 4 KiB, ${connections} connections, durability none`,
      'requests/s',
      await measure(shared, 'PUT', fresh, undefined),
      '1 worker',
    )
  }
  for (const gateway of gateways) await gateway.stop()
  clean(scratch)
}
