// Everything at once, with faults now and then, for a sanitizer to watch.
import { args, load, scratch, startSend, startWork } from './work.mjs'

const seconds = Number(args[0] ?? 3)
const { createIo, createFileWriter, span } = await load()
const io = createIo({ slots: 16 })
const dir = scratch()
const root = io.openRoot(dir)
const end = performance.now() + seconds * 1000
let settled = 0
let failed = 0

async function chains() {
  for (let i = 0; performance.now() < end; i++) {
    if (i % 5 === 0) io.faults.set({ after: (i * 31) % 40, times: 3, errno: 5 })
    const all = await Promise.allSettled(startWork(io, root, span(), i))
    settled += all.length
    failed += all.filter((one) => one.status === 'rejected').length
  }
}

async function bodies() {
  for (let i = 0; performance.now() < end; i++) {
    const open = io.chain(span())
    const file = open.openTmpFile(root, { size: 0, keep: true })
    try {
      await open.run()
    } catch {
      continue
    }
    const hasher = io.hasher(['md5', 'sha256', 'crc32c'])
    const writer = createFileWriter(io, { span: span(), file: file.value, hasher, pieceBytes: 65_536 })
    try {
      for (let n = 0; n < 20; n++) {
        if (!writer.write(Buffer.alloc(50_000 + n))) await new Promise((resolve) => (writer.onDrain = resolve))
      }
      await (i % 3 === 0 ? writer.abort() : writer.finish())
    } catch {
      await writer.abort()
    }
    hasher.free()
    const close = io.chain(span())
    close.close(file.value)
    await close.run().catch(() => undefined)
  }
}

async function sends() {
  for (let i = 0; performance.now() < end; i++) {
    const abort = new AbortController()
    const { sent, socket, client } = await startSend(io, dir, span(), abort.signal)
    if (i % 3 === 0) client.resume()
    if (i % 3 === 1) setTimeout(() => abort.abort(), i % 7)
    if (i % 3 === 2) setTimeout(() => client.resetAndDestroy(), i % 5)
    await sent.catch(() => undefined)
    socket.destroy()
    client.destroy()
  }
}

await Promise.all([chains(), chains(), chains(), bodies(), bodies(), sends(), sends()])
io.faults.clear()
const running = startWork(io, root, span(), 1).map((run) => run.catch(() => undefined))
await io.close()
await Promise.all(running)
console.log(`stressed ${settled > 0 && failed > 0}`)
