// Several environments at once, each with its own pools; half of them are ended while busy.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { addonPath, dist, load, scratch, startSend, startWork } from './work.mjs'

if (isMainThread) {
  const results = []
  for (let round = 0; round < 2; round++) {
    // Node would close what fs.open opened when a worker ends, though the addon owns and has closed it.
    const options = { workerData: { dist, addonPath }, trackUnmanagedFds: false }
    const workers = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url), options))
    const ends = workers.map(
      (worker, i) =>
        new Promise((resolve, reject) => {
          worker.on('error', reject)
          worker.on('exit', resolve)
          worker.on('message', (message) => {
            if (message === 'busy' && i % 2 === 0) void worker.terminate()
            if (message === 'done') results.push(i)
          })
        }),
    )
    await Promise.all(ends)
  }
  console.log(`done ${results.length}`)
} else {
  const { createIo, span } = await load(workerData)
  const first = createIo({ threads: 3 })
  const second = createIo({ threads: 2, slots: 3 })
  const dir = scratch()
  const roots = [first.openRoot(dir), second.openRoot(dir)]
  const runs = []
  for (let i = 0; i < 20; i++) {
    runs.push(...startWork(first, roots[0], span(), i), ...startWork(second, roots[1], span(), i))
  }
  for (const run of runs) run.catch(() => undefined)
  const abort = new AbortController()
  const { sent, socket, client } = await startSend(first, dir, span(), abort.signal)
  sent.catch(() => undefined)
  parentPort.postMessage('busy')
  await Promise.allSettled(runs)
  abort.abort()
  await sent.catch(() => undefined)
  socket.destroy()
  client.destroy()
  await first.close()
  parentPort.postMessage('done')
}
