import { closeSync, openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, expect, it } from 'vitest'
import { loadAddon } from '../../src/io/addon.ts'
import { LAYOUT } from '../../src/io/arena.ts'
import { NativeChain } from '../../src/io/chain.ts'
import { Dispatcher } from '../../src/io/dispatcher.ts'
import { createFaults } from '../../src/io/faults.ts'
import { cpuSeconds } from '../support/process-facts.ts'

/*
 * A client that waits for each answer is told by its connection and by the pace at which its chains come, and that is the
 * machine's too: the tests send chains until one is awaited. What then has to hold does so at any pace.
 */

const SLOTS = 4
/** Far longer than the event loop may look, even where that loses its processor meanwhile. */
const LONG_MS = 1000
/** Stands for its connection. */
const CLIENT = {}

const native = loadAddon().create(2, SLOTS, 0, 1024 * 1024, onDone)
const done = new Uint32Array(native.arena, 0, LAYOUT.head >> 2)
const faults = createFaults(native)
/** For how many chains a thread was woken before they came. */
let announced = 0
/** How often the event loop has looked for a chain, and how many chains it then found done. */
const awaited = { times: 0, found: 0 }
let isLooking = false

const watched = Object.create(native, {
  announce: {
    value(ns: number) {
      announced++
      native.announce(ns)
    },
  },
  await: {
    value(ns: number) {
      awaited.times++
      isLooking = true
      native.await(ns)
      isLooking = false
    },
  },
}) as typeof native
const dispatcher = new Dispatcher(watched, SLOTS)
const directory = openSync(tmpdir(), 'r')

function onDone(count: number): void {
  if (isLooking) awaited.found += count
  for (const slot of done.slice(0, count)) dispatcher.settle(slot)
}

afterEach(() => faults.clear())
afterAll(async () => {
  const idle = dispatcher.close()
  native.stop()
  await idle
  native.close()
  closeSync(directory)
})

/** Whether the event loop looked for the chain, found it done, and turned before it was. */
async function run(): Promise<{ awaited: boolean; found: boolean; turned: boolean }> {
  const { times, found } = awaited
  let turned = false
  setImmediate(() => {
    turned = true
  })
  const chain = new NativeChain(dispatcher, undefined, { bulk: false, syscalls: false })
  chain.stat(directory)
  await chain.run()
  return { awaited: awaited.times > times, found: awaited.found > found, turned }
}

it('chains that come one by one are awaited by the event loop, once they are seen to', async () => {
  while (!(await run()).found) continue
})

it('chains of two clients in turns are not awaited, those of one among them are soon again', async () => {
  const [one, other] = [{}, {}]
  dispatcher.announce(one)
  while (!(await run()).awaited) dispatcher.announce(one)
  for (let i = 0; i < 50; i++) {
    dispatcher.announce(i % 2 === 0 ? other : one)
    expect(await run()).toMatchObject({ awaited: false })
  }
  do dispatcher.announce(other)
  while (!(await run()).awaited)
})

it('a chain that takes long holds the loop up for a moment only, and once', async () => {
  let long: Awaited<ReturnType<typeof run>>
  do {
    faults.clear()
    while (!(await run()).found) continue
    faults.set({ call: 'fstat', delayMs: LONG_MS })
    long = await run()
  } while (!long.awaited)
  expect(long).toEqual({ awaited: true, found: false, turned: true })
  expect(await run()).toEqual({ awaited: false, found: false, turned: true })
})

it('a chain that is announced has its thread woken before it comes', async () => {
  const wakes = (): number => {
    const counts = new Float64Array(7)
    native.stats(counts)
    return counts[4] ?? 0
  }
  // The thread that waits for it may have lost its processor for longer than it stays awake: then the chain wakes one.
  let wakesOfChain: number
  do {
    do {
      await run()
      announced = 0
      dispatcher.announce(CLIENT)
    } while (announced === 0)
    const before = wakes()
    await run()
    wakesOfChain = wakes() - before
  } while (wakesOfChain > 0)
})

it('nothing is announced while other chains run; a thread that no chain comes to sleeps again', async () => {
  do {
    announced = 0
    const other = run()
    dispatcher.announce(CLIENT)
    await other
    expect(announced).toBe(0)
    dispatcher.announce(CLIENT)
  } while (announced === 0)
  await delay(50)
  const before = cpuSeconds(process.pid)
  await delay(500)
  expect(cpuSeconds(process.pid) - before).toBeLessThan(0.4)
  await run()
})
