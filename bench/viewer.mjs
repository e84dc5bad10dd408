import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { load, median } from './load.mjs'
import { clean, freePort, startOurs, startSink } from './peers.mjs'
import { must, presign } from './sign.mjs'
import { report } from './table.mjs'
import { openPage, TOKEN } from './viewer-page.mjs'

const BYTES = 4096
const KEYS = 1000
const RATE = 1000
const GENERATOR = fileURLToPath(new URL('./rate.mjs', import.meta.url))
const run = promisify(execFile)

/**
 * What the trace viewer costs: 4 KiB GET, every request traced and exported. First as many requests as 16 connections make,
 * then 1,000 a second. Speeds of a machine change from minute to minute, so rounds are short, the variants of a round are
 * measured one right after the other, and what is told are ratios within a round.
 *
 * With CHROMIUM, the path of a browser, the page is open in it; its own work then competes for the processors as well.
 */
export async function viewer({ scratch, rounds, seconds }) {
  process.env.VGW_VIEWER_TOKEN = TOKEN
  const sink = await startSink()
  const ports = { closed: await freePort(), followed: await freePort() }
  const start = (name, flags = []) =>
    startOurs(`${scratch}/data`, { name, tracing: sink.endpoint, flags })
  const gateways = [
    await start('no viewer'),
    await start('viewer', ['--viewer', `127.0.0.1:${ports.closed}`]),
    await start('followed', ['--viewer', `127.0.0.1:${ports.followed}`]),
  ]
  const [{ endpoint }] = gateways
  await must(endpoint, 'PUT', '/bench')
  const keys = Array.from({ length: KEYS }, (_, i) => `o${i}`)
  for (const key of keys)
    await must(endpoint, 'PUT', `/bench/${key}`, { body: Buffer.alloc(BYTES, key) })
  await atFullLoad({ scratch, rounds: rounds * 3, seconds, gateways, keys, port: ports.followed })
  await atConstantRate({ scratch, rounds, seconds, gateway: gateways[1], keys, port: ports.closed })
  for (const gateway of gateways) await gateway.stop()
  await sink.stop()
  clean(scratch)
}

async function atFullLoad({ scratch, rounds, seconds, gateways, keys, port }) {
  const page = await openPage(port, 'following')
  const speed = []
  const cpu = []
  for (let round = -1; round < rounds; round++) {
    const perSecond = {}
    const microseconds = {}
    for (const { name, endpoint, pid } of rotated(gateways, round)) {
      const before = mainThreadUs(pid)
      const result = await load(scratch, endpoint, presign(endpoint, 'GET', 'bench', keys), {
        connections: 16,
        seconds,
        method: 'GET',
      })
      perSecond[name] = result.perSecond
      microseconds[name] = (mainThreadUs(pid) - before) / (result.perSecond * seconds)
    }
    if (round < 0) continue
    speed.push(perSecond)
    cpu.push(microseconds)
  }
  await page.close()
  report('GET 4 KiB, 16 connections', 'requests/s', speed, 'no viewer')
  report('GET 4 KiB, 16 connections', 'µs of the main thread', cpu, 'no viewer')
  for (const name of ['viewer', 'followed']) {
    const lost = speed.map((round) => 1 - round[name] / round['no viewer'])
    const more = cpu.map((round) => round[name] / round['no viewer'] - 1)
    console.log(`  ${name}: throughput falls by ${percent(lost)}, CPU rises by ${percent(more)}`)
  }
}

/** One gateway, whose page is closed, open, and following in turn. */
async function atConstantRate({ scratch, rounds, seconds, gateway, keys, port }) {
  const { endpoint, pid } = gateway
  const targets = `${scratch}/rate-targets.txt`
  writeFileSync(targets, presign(endpoint, 'GET', 'bench', keys).join('\n'))
  const states = ['closed', 'open', 'following']
  const cpu = []
  const latency = Object.fromEntries(states.map((state) => [state, []]))
  for (let round = -1; round < rounds * 2; round++) {
    const microseconds = {}
    for (const state of rotated(states, round)) {
      const page = await openPage(port, state)
      const before = allThreadsUs(pid)
      const args = [GENERATOR, endpoint, targets, String(RATE), String(seconds)]
      const result = JSON.parse((await run(process.execPath, args)).stdout)
      microseconds[state] = (allThreadsUs(pid) - before) / result.requests
      await page.close()
      if (result.bad > 0) throw new Error(`${result.bad} of ${result.requests} requests failed`)
      if (round >= 0) latency[state].push(result)
    }
    if (round >= 0) cpu.push(microseconds)
  }
  const title = `GET 4 KiB, ${RATE} requests/s, the page`
  report(title, 'µs of CPU a request, all threads', cpu, 'closed')
  for (const state of states) {
    const of = (name) => median(latency[state].map((result) => result[name]))
    console.log(
      `  ${state.padEnd(22)} latency p50 ${of('p50')} µs, p99 ${of('p99')}, p99.9 ${of('p999')}`,
    )
  }
}

/** Each comes first, and none twice in a row: whoever has just run runs faster. */
function rotated(variants, round) {
  const first = (round + variants.length) % variants.length
  return [...variants.slice(first), ...variants.slice(0, first)]
}

/** The median, and between which values the middle half lies. */
function percent(shares) {
  const sorted = shares.toSorted((a, b) => a - b)
  const at = (share) => (sorted[Math.floor((sorted.length - 1) * share)] * 100).toFixed(1)
  return `${at(0.5)} % (${at(0.25)} to ${at(0.75)})`
}

function mainThreadUs(pid) {
  return threadUs(pid, pid)
}

function allThreadsUs(pid) {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + threadUs(pid, thread), 0)
}

function threadUs(pid, thread) {
  const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')
  return Number(text.split(' ')[0]) / 1000
}
