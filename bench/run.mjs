// Side by side with VersityGW (--keep-alive) and nginx: node bench/run.mjs [small large complete listing memory receiver workers viewer start] [--rounds 3] [--seconds 4] [--dir DIR]
// VERSITYGW names the peer's binary; without it, and without nginx, their columns are left out. wrk must be installed.
import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { complete } from './complete.mjs'
import { large } from './large.mjs'
import { listing } from './listing.mjs'
import { memory } from './memory.mjs'
import { clean } from './peers.mjs'
import { receiver } from './receiver.mjs'
import { small } from './small.mjs'
import { start } from './start.mjs'
import { viewer } from './viewer.mjs'
import { workers } from './workers.mjs'

const parts = { small, large, complete, listing, memory, receiver, workers, viewer, start }
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    dir: { type: 'string', default: '/dev/shm' },
  },
})
const scratch = `${values.dir}/versitygw-ts-bench-${process.pid}`
const options = { scratch, rounds: Number(values.rounds), seconds: Number(values.seconds) }
try {
  for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
    mkdirSync(scratch, { recursive: true })
    await parts[name](options)
    clean(scratch)
  }
} finally {
  clean(scratch)
}
process.exit(0)
