import { load } from './load.mjs'
import { startNginx, startOurs, startSink, startVersityGW } from './peers.mjs'
import { must, presign } from './sign.mjs'
import { report } from './table.mjs'

const BYTES = 64 * 1024 * 1024
const CONNECTIONS = 4

/** 64 MiB GET and PUT at four connections, in MB/s. */
export async function large({ scratch, rounds, seconds }) {
  const sink = await startSink()
  const gateways = [
    await startOurs(`${scratch}/off`, { name: 'ours' }),
    await startOurs(`${scratch}/traced`, { name: 'ours, traced', tracing: sink.endpoint }),
  ]
  if (process.env.VERSITYGW) gateways.push(await startVersityGW(`${scratch}/versitygw`))
  const keys = ['a', 'b', 'c', 'd']
  const body = Buffer.alloc(BYTES, 'versitygw-ts')
  for (const { endpoint } of gateways) {
    await must(endpoint, 'PUT', '/bench')
    for (const key of keys) await must(endpoint, 'PUT', `/bench/${key}`, { body })
  }
  const nginx = await startNginx(`${scratch}/off`, scratch).catch(() => undefined)
  const gets = []
  const puts = []
  for (let round = 0; round < rounds; round++) {
    const got = {}
    const put = {}
    for (const { name, endpoint } of gateways) {
      const options = { connections: CONNECTIONS, seconds }
      got[name] =
        (
          await load(scratch, endpoint, presign(endpoint, 'GET', 'bench', keys), {
            ...options,
            method: 'GET',
          })
        ).bytesPerSecond / 1e6
      const targets = presign(endpoint, 'PUT', 'bench', keys)
      put[name] =
        ((await load(scratch, endpoint, targets, { ...options, method: 'PUT', bodyBytes: BYTES }))
          .perSecond *
          BYTES) /
        1e6
    }
    if (nginx !== undefined) {
      const targets = keys.map((key) => `/bench/${key}`)
      got.nginx =
        (
          await load(scratch, nginx.endpoint, targets, {
            connections: CONNECTIONS,
            seconds,
            method: 'GET',
          })
        ).bytesPerSecond / 1e6
    }
    gets.push(got)
    puts.push(put)
  }
  report('GET 64 MiB, 4 connections', 'MB/s', gets, 'versitygw')
  report('PUT 64 MiB, 4 connections, durability none', 'MB/s', puts, 'versitygw')
  for (const gateway of gateways) await gateway.stop()
  await nginx?.stop()
  await sink.stop()
}
