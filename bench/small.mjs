import { load } from './load.mjs'
import { clean, startNginx, startOurs, startSink, startVersityGW } from './peers.mjs'
import { must, presign } from './sign.mjs'
import { report } from './table.mjs'

const BYTES = 4096
const KEYS = 1000

/** 4 KiB GET and PUT at 16 connections and at one, tracing off and every request traced and exported. */
export async function small({ scratch, rounds, seconds }) {
  const sink = await startSink()
  const gateways = [
    await startOurs(`${scratch}/off`, { name: 'ours' }),
    await startOurs(`${scratch}/traced`, { name: 'ours, traced', tracing: sink.endpoint }),
    await startOurs(`${scratch}/dropped`, {
      name: 'ours, dropped',
      tracing: sink.endpoint,
      flags: ['--otel-sample-rate', '0'],
    }),
  ]
  if (process.env.VERSITYGW) gateways.push(await startVersityGW(`${scratch}/versitygw`))
  const keys = await fillWith(gateways)
  const nginx = await startNginx(`${scratch}/off`, scratch).catch(() => undefined)
  for (const connections of [16, 1]) {
    const shared = { scratch, rounds, seconds, connections, gateways }
    const gets = await measure(shared, 'GET', keys, nginx)
    report(`GET 4 KiB, ${connections} connection(s)`, 'requests/s', gets, 'versitygw')
    const fresh = Array.from({ length: 20_000 }, (_, i) => `p${connections}-${i}`)
    const puts = await measure(shared, 'PUT', fresh, undefined)
    report(
      `PUT 4 KiB, ${connections} connection(s), durability none`,
      'requests/s',
      puts,
      'versitygw',
    )
  }
  for (const gateway of gateways) await gateway.stop()
  await nginx?.stop()
  const { exports, bytes } = await sink.stop()
  console.log(`\nexported: ${exports} exports, ${bytes} bytes`)
  clean(scratch)
}

/** Gives each gateway the same objects; their keys. */
export async function fillWith(gateways) {
  const keys = Array.from({ length: KEYS }, (_, i) => `o${i}`)
  for (const { endpoint } of gateways) {
    await must(endpoint, 'PUT', '/bench')
    for (const key of keys)
      await must(endpoint, 'PUT', `/bench/${key}`, { body: Buffer.alloc(BYTES, key) })
  }
  return keys
}

/**
 * Rounds in which each gateway has its turn, after one that is not counted: programs compile what they do often. Every other
 * round goes the other way, so that none always follows the same one.
 */
export async function measure(
  { scratch, rounds, seconds, connections, gateways },
  method,
  keys,
  nginx,
) {
  const bodyBytes = method === 'PUT' ? BYTES : 0
  const turn = async (endpoint, targets) =>
    (await load(scratch, endpoint, targets, { connections, seconds, method, bodyBytes })).perSecond
  const results = []
  for (let round = -1; round < rounds; round++) {
    const result = {}
    for (const { name, endpoint } of round % 2 === 0 ? gateways : gateways.toReversed())
      result[name] = await turn(endpoint, presign(endpoint, method, 'bench', keys))
    if (nginx !== undefined) {
      const targets = keys.map((key) => `/bench/${key}`)
      result.nginx = await turn(nginx.endpoint, targets)
    }
    if (round >= 0) results.push(result)
  }
  return results
}
