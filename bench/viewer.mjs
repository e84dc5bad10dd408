import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { load } from './load.mjs'
import { clean, freePort, startOurs, startSink } from './peers.mjs'
import { must, presign } from './sign.mjs'
import { report } from './table.mjs'

const BYTES = 4096
const KEYS = 1000
const TOKEN = 'a-token-for-the-benchmark'

/** What the trace viewer costs: 4 KiB GET at 16 connections, every request traced and exported. */
export async function viewer({ scratch, rounds, seconds }) {
  const sink = await startSink()
  process.env.VGW_VIEWER_TOKEN = TOKEN
  const viewerPort = await freePort()
  const followedPort = await freePort()
  const start = (name, tracing, port) =>
    startOurs(`${scratch}/data`, {
      name,
      tracing,
      flags: port === undefined ? [] : ['--viewer', `127.0.0.1:${port}`],
    })
  const gateways = [
    await start('traced', sink.endpoint),
    await start('traced, viewer', sink.endpoint, viewerPort),
    await start('traced, followed', sink.endpoint, followedPort),
    await start('off', undefined),
    await start('viewer alone', undefined, await freePort()),
  ]
  const [{ endpoint }] = gateways
  await must(endpoint, 'PUT', '/bench')
  const keys = Array.from({ length: KEYS }, (_, i) => `o${i}`)
  for (const key of keys)
    await must(endpoint, 'PUT', `/bench/${key}`, { body: Buffer.alloc(BYTES, key) })
  const page = openPage(followedPort)
  const speed = []
  const cpu = []
  for (let round = -1; round < rounds; round++) {
    const perSecond = {}
    const microseconds = {}
    for (const { name, endpoint, pid } of gateways) {
      const before = cpuSeconds(pid)
      const result = await load(scratch, endpoint, presign(endpoint, 'GET', 'bench', keys), {
        connections: 16,
        seconds,
        method: 'GET',
      })
      perSecond[name] = result.perSecond
      microseconds[name] = ((cpuSeconds(pid) - before) * 1e6) / (result.perSecond * seconds)
    }
    if (round < 0) continue
    speed.push(perSecond)
    cpu.push(microseconds)
  }
  report('GET 4 KiB, 16 connections', 'requests/s', speed, 'traced')
  report('GET 4 KiB, 16 connections', 'µs of CPU a request', cpu, 'traced')
  console.log(`\nfollowed: ${page.events} events, ${page.bytes} bytes`)
  page.close()
  for (const gateway of gateways) await gateway.stop()
  await sink.stop()
  clean(scratch)
}

/** As the page does: follows, and asks for the last hour every five seconds. */
function openPage(port) {
  const headers = { Authorization: `Bearer ${TOKEN}` }
  const page = { events: 0, bytes: 0, close: () => {} }
  const following = request({ host: '127.0.0.1', port, path: '/api/follow', headers }, (answer) =>
    answer.on('data', (piece) => {
      page.events++
      page.bytes += piece.length
    }),
  )
  following.on('error', () => {})
  following.end()
  const timer = setInterval(
    () =>
      void fetch(`http://127.0.0.1:${port}/api/activity`, { headers }).then((answer) =>
        answer.arrayBuffer(),
      ),
    5000,
  )
  page.close = () => {
    clearInterval(timer)
    following.destroy()
  }
  return page
}

/** User and system time of a process, all of its threads. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
