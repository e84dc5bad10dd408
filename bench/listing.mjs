import { closeSync, mkdirSync, openSync } from 'node:fs'
import { startOurs, startVersityGW } from './peers.mjs'
import { must } from './sign.mjs'
import { report } from './table.mjs'

const KEYS = 100_000

/** All pages of a bucket whose 100,000 keys lie in one directory, in seconds (a ratio below 1 is better than the peer). */
export async function listing({ scratch, rounds }) {
  const gateways = [await startOurs(`${scratch}/ours`)]
  if (process.env.VERSITYGW) gateways.push(await startVersityGW(`${scratch}/versitygw`))
  for (const name of ['ours', 'versitygw']) {
    mkdirSync(`${scratch}/${name}/flat`, { recursive: true })
    for (let i = 0; i < KEYS; i++)
      closeSync(openSync(`${scratch}/${name}/flat/k${String(i).padStart(6, '0')}`, 'w'))
  }
  const times = []
  for (let round = 0; round < rounds; round++) {
    const took = {}
    for (const { name, endpoint } of gateways) {
      const started = performance.now()
      const count = await listAll(endpoint)
      took[name] = (performance.now() - started) / 1000
      if (count !== KEYS) throw new Error(`${name} listed ${count} keys of ${KEYS}`)
    }
    times.push(took)
  }
  report('ListObjectsV2, 100,000 keys of one directory, all pages', 's', times, 'versitygw')
  for (const gateway of gateways) await gateway.stop()
}

async function listAll(endpoint) {
  let count = 0
  let token = ''
  for (;;) {
    const page = token === '' ? '' : `continuation-token=${encodeURIComponent(token)}&`
    const { body } = await must(endpoint, 'GET', `/flat?${page}list-type=2`)
    const text = body.toString()
    count += text.split('<Key>').length - 1
    const next = /<NextContinuationToken>([^<]+)</.exec(text)
    if (next === null) return count
    token = next[1]
  }
}
