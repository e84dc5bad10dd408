import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { AccountsDocument } from '../../src/auth/iam/accounts-document.ts'

const PROGRAM = fileURLToPath(new URL('programs/update-accounts.mjs', import.meta.url))
const DIST = fileURLToPath(new URL('../../dist', import.meta.url))
const KILLS = 25

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vgw-iam-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A process of its own that creates accounts; `acknowledged` are those it has told of so far. */
function creating(prefix: string, count: number) {
  const child = spawn(process.execPath, [PROGRAM, DIST, dir, prefix, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  return {
    get acknowledged() {
      return output.split('\n').slice(0, -1)
    },
    /** Exit code and signal, once all output has been read. */
    ended: once(child, 'close'),
    kill: () => child.kill('SIGKILL'),
  }
}

async function stored(): Promise<string[]> {
  const document = AccountsDocument.parse(await readFile(join(dir, 'users.json')))
  return document.list().map(({ access }) => access)
}

test('contract 9.2 row 21: two processes doing 1,000 updates each lose none', async () => {
  const both = [creating('a', 1000), creating('b', 1000)]
  for (const { ended } of both) expect(await ended).toEqual([0, null])
  expect(new Set(await stored())).toEqual(new Set(both.flatMap((one) => one.acknowledged)))
  expect(await stored()).toHaveLength(2000)
}, 240_000)

test('kill -9 at any moment leaves a readable file with every acknowledged update', async () => {
  const acknowledged: string[] = []
  let torn = 0
  for (let round = 0; round < KILLS; round++) {
    const both = [creating(`a${round}-`, 1000), creating(`b${round}-`, 1000)]
    while (both.some((one) => one.acknowledged.length < 2)) await sleep(1)
    await sleep(Math.random() * 20)
    both[round % 2]?.kill()
    // The other goes on: the lock of the dead one does not hold it up.
    const other = both[1 - (round % 2)]
    const before = other?.acknowledged.length ?? 0
    while ((other?.acknowledged.length ?? 0) < before + 3) await sleep(1)
    other?.kill()
    await Promise.all(both.map(({ ended }) => ended))
    acknowledged.push(...both.flatMap((one) => one.acknowledged))
    const names = new Set(await stored())
    expect(acknowledged.filter((name) => !names.has(name))).toEqual([])
    // At most the update that each was busy with is there unacknowledged.
    expect(names.size).toBeLessThanOrEqual(acknowledged.length + 2 * (round + 1))
    AccountsDocument.parse(await readFile(join(dir, 'users.json.backup')))
    torn = Math.max(torn, (await readdir(dir)).length)
  }
  // Two of them may be killed with two temporary files each; the next start clears them away.
  expect(torn).toBeLessThanOrEqual(3 + 4)
}, 240_000)
