// What the lifetime programs keep the pool busy with.
import { mkdirSync, mkdtempSync, openSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export const [, , dist, addonPath, ...args] = process.argv

export async function load(argv = { dist, addonPath }) {
  const { createIo } = await import(pathToFileURL(join(argv.dist, 'io/native.js')).href)
  const { Recorder } = await import(pathToFileURL(join(argv.dist, 'trace/recorder.js')).href)
  const { createFileWriter } = await import(pathToFileURL(join(argv.dist, 'io/file-writer.js')).href)
  return {
    createIo: (options) => createIo({ addonPath: argv.addonPath, ...options }),
    createFileWriter,
    span: () => new Recorder(true, undefined).root,
  }
}

export function scratch() {
  const dir = mkdtempSync(join(tmpdir(), 'vgw-life-'))
  mkdirSync(join(dir, '.sgwtmp'))
  writeFileSync(join(dir, 'large'), Buffer.alloc(5_000_000))
  for (let i = 0; i < 300; i++) writeFileSync(join(dir, `small-${i}`), `content ${i}`)
  return dir
}

const CONTENT = Buffer.alloc(200_000, 'x')

/** One chain of each sort. */
export function startWork(io, root, span, i) {
  const put = io.chain(span)
  const tmpDir = put.openDir(root, '.sgwtmp')
  const file = put.openTmpFile(tmpDir, { size: CONTENT.length })
  put.writeData(file, [CONTENT.subarray(0, 1 + ((i * 7919) % CONTENT.length))], { hasher: 'job', kinds: ['md5', 'crc64nvme'] })
  put.writeMetadata(file, [['etag', [{ hasher: 'job', kind: 'md5', encoding: 'hex' }]]])
  put.linkFile(file, put.makeParents(root, `p/${i % 3}`, { mode: 0o755, sync: false }), `key-${i % 10}`, { tmpDir, replace: true })

  const get = io.chain(span)
  const opened = get.openFile(root, `small-${i % 300}`)
  get.stat(opened)
  get.readMetadata(opened)
  get.readWhole(opened, { wholeIfAtMost: 65_536 })

  const list = io.chain(span, { bulk: true })
  const names = Array.from({ length: 300 }, (_, n) => `small-${n}`)
  list.listDir(root)
  list.statBatch(root, names, ['etag', 'a', 'b'])
  const large = list.openFile(root, 'large')
  list.readData(large, { offset: 0, length: 300_000 })
  if (i % 8 === 0) list.readWhole(large, { wholeIfAtMost: 10_000_000 })
  list.copyRange(large, 0, list.openTmpFile(root, { size: 0 }), 0, 600_000, { methods: ['read_write'] })

  const lock = io.chain(span)
  lock.lock(root, 'lock', { exclusive: true, timeoutMs: 10_000 })
  lock.statAt(root, 'none')
  return [put, get, list, lock].map((chain) => chain.run())
}

/** A transfer to a client that does not read. */
export async function startSend(io, dir, span, signal) {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect(server.address().port, '127.0.0.1')
  client.on('error', () => undefined)
  client.pause()
  const socket = await new Promise((resolve) => server.once('connection', resolve))
  socket.on('error', () => undefined)
  server.unref()
  socket.unref()
  client.unref()
  const file = openSync(join(dir, 'large'), 'r')
  const request = { socketFd: socket._handle.fd, file, offset: 0, length: 5_000_000, stallMs: 60_000, signal }
  return { socket, client, sent: io.sendFile(span, request) }
}
