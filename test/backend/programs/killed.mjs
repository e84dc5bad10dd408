// Does to a backend what its argument says, and is killed before the n-th system call of it; says `done` where that many
// are not made.
const dist = new URL('../../../dist/', import.meta.url)
const { createIo } = await import(new URL('io/native.js', dist))
const { createPosixBackend } = await import(new URL('backend/posix/index.js', dist))
const { Recorder } = await import(new URL('trace/recorder.js', dist))

const { openSidecar } = await import(new URL('backend/posix/sidecar.js', dist))

const { options, sidecar, fault, request } = JSON.parse(process.argv[2])
const { method, args } = request
const durable = options.durability === 'full'
const attributes =
  sidecar && (await openSidecar(sidecar, { directory: options.directory, durable }))
const io = createIo({ attributes })
const backend = await createPosixBackend({ ...options, io })
const call = { span: new Recorder(false, undefined).root, signal: new AbortController().signal }
const passed = args.map((arg) => (arg.bytes === undefined ? arg : payloadOf(arg.bytes)))
if (method === 'createBucket')
  passed[0].subresources = new Map(Object.entries(passed[0].subresources))
if (method === 'copyObject') passed[0].check = () => undefined
io.faults.set(fault)
await backend[method](...passed, call)
io.faults.clear()
process.stdout.write('done')
process.exit(0)

/** A body from memory, as many bytes of one letter as are asked for. */
function payloadOf({ letter, length }) {
  const body = Buffer.alloc(length, letter)
  return {
    length,
    kinds: [],
    checks: () => [],
    clientWaitNs: 0,
    collect: () => Promise.resolve([body]),
    async pump(sink) {
      for (let at = 0; at < length; at += 65_536) {
        if (!sink.write(body.subarray(at, at + 65_536)))
          await new Promise((resolve) => (sink.onDrain = resolve))
      }
    },
  }
}
