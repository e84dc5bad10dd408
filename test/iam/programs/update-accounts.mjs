// Creates accounts in users.json, one after the other, and says after each that it is there.
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , dist, dir, prefix, count] = process.argv
const load = (path) => import(pathToFileURL(join(dist, path)).href)
const { createIo } = await load('io/native.js')
const { openSharedFile } = await load('io/shared-file.js')
const { openInternalStore } = await load('auth/iam/internal-store.js')

const io = createIo({ threads: 2 })
const store = await openInternalStore(await openSharedFile(io, dir, 'users.json'))
for (let i = 0; i < Number(count); i++) {
  const account = {
    access: `${prefix}${i}`,
    secret: 's',
    role: 'user',
    userId: i,
    groupId: 0,
    projectId: 0,
  }
  await store.create(account, {})
  writeSync(1, `${account.access}\n`)
}
await store.close()
await io.close()
