// Ends the process in the way its third argument names, while everything is under way.
import { args, load, scratch, startSend, startWork } from './work.mjs'

const [how] = args
const { createIo, span } = await load()
const io = createIo()
const dir = scratch()
const root = io.openRoot(dir)
process.on('unhandledRejection', () => undefined)

if (how === 'idle') {
  // Nothing to be done: the process ends by itself.
} else if (how === 'settled') {
  await Promise.allSettled(startWork(io, root, span(), 1))
} else if (how === 'finish') {
  // What was started is finished before the process ends by itself.
  const runs = Array.from({ length: 20 }, (_, i) => startWork(io, root, span(), i)).flat()
  void Promise.allSettled(runs).then((all) => console.log('finished', all.length))
} else {
  for (let i = 0; i < 60; i++) for (const run of startWork(io, root, span(), i)) run.catch(() => undefined)
  const { sent } = await startSend(io, dir, span())
  sent.catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 5))
  if (how === 'exit') process.exit(7)
  if (how === 'throw') throw new Error('on purpose')
  if (how === 'kill') process.kill(process.pid, 'SIGTERM')
  if (how === 'close') {
    await io.close()
    await io.close()
    console.log('closed')
  }
  if (how === 'loop') setImmediate(() => process.exit(7))
}
