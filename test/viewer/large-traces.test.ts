import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findTool } from '../support/tools.ts'

const dist = (name: string): string => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url))

const SPANS = 10_001

/**
 * A viewer that holds one trace of 10,001 spans and many small ones, in a process of its own: from sources no thread can be
 * started. It tells where it is, and, whenever a line comes in, which share of its event loop's time went into work since.
 */
const PROGRAM = `
  import { nowNs } from '${dist('trace/clock.js')}'
  import { Recorder } from '${dist('trace/recorder.js')}'
  import { settle } from '${dist('trace/settle.js')}'
  import { createViewerTraces, openViewer } from '${dist('viewer/open.js')}'
  import { readPageFiles } from '${dist('viewer/page-files.js')}'
  import { createTraceSource } from '${dist('viewer/trace-source.js')}'
  import { oneProcess } from '${dist('workers/one-process.js')}'

  const onFault = (error) => { throw error }
  const settings = {
    listener: { host: '127.0.0.1', port: 0 }, hosts: [], token: 'token', isLocal: true, maxBytes: 32 * 1024 ** 2,
  }
  const workers = oneProcess(onFault)
  const { held } = createViewerTraces(settings, onFault)
  held.describe({ resource: {}, place: undefined, worker: 1 })
  const viewer = openViewer(settings, {
    source: createTraceSource(held, workers),
    accounts: {},
    tls: undefined,
    about: { version: '0', depth: 'io', sampleRate: 1 },
    files: await readPageFiles(),
    onFault,
  })
  let at = nowNs()
  const add = (name, key, children) => {
    at += 1e6
    const recorder = new Recorder(true, undefined, at)
    recorder.root.name = name
    recorder.root.set('s3.bucket', 'bucket')
    recorder.root.set('s3.key', key)
    recorder.root.set('http.response.status_code', 200)
    recorder.root.set('vgw.sampling.reason', 'head')
    for (let i = 0; i < children; i++) {
      const name = i % 2 === 0 ? 'Posix.IO.OpenFile' : 'Posix.IO.ReadMetadata'
      recorder.root.child(name, { 'posix.object': 'part-' + i, 'posix.queue_ms': 0.01 }, at + i * 90).end(at + i * 90 + 80)
    }
    recorder.root.end(at + 900_100)
    settle(recorder)
    held.recent.add(recorder)
    return recorder.root.spanId
  }
  const large = add('S3.CompleteMultipartUpload', 'large', ${SPANS - 1})
  for (let i = 0; i < 4000; i++) add('S3.GetObject', 'small-' + i, 6)
  await viewer.listen()
  let from = performance.eventLoopUtilization()
  process.stdin.on('data', () => {
    const { utilization } = performance.eventLoopUtilization(from)
    from = performance.eventLoopUtilization()
    console.log(JSON.stringify({ utilization }))
  })
  console.log(JSON.stringify({ origin: new URL(viewer.url).origin, large }))
`

interface Traces {
  readonly traces: readonly { readonly key: string; readonly tree: readonly unknown[] }[]
  readonly next?: string
}

describe('traces of 10,000 spans', () => {
  let child: ChildProcess
  let origin = ''
  let large = ''
  const line = async (): Promise<Record<string, never>> => {
    const [data] = await once(child.stdout ?? child, 'data')
    return JSON.parse(String(data))
  }
  const get = (path: string): Promise<Response> =>
    fetch(origin + path, { headers: { Authorization: 'Bearer token' } })
  const read = async (path: string): Promise<Traces> => (await get(path)).json() as Promise<Traces>

  beforeAll(async () => {
    child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    ;({ origin = '', large = '' } = await line())
  })
  afterAll(() => child.kill())

  test('are told whole, and the thread that serves requests has little to do with it', async () => {
    child.stdin?.write('\n')
    await line()
    for (let i = 0; i < 5; i++) {
      const { traces } = await read(`/api/traces/${large}`)
      expect(traces[0]?.tree).toHaveLength(SPANS)
    }
    child.stdin?.write('\n')
    const { utilization } = await line()
    expect(utilization).toBeLessThan(0.6)
  })

  test('asked for all at once they are told to some, and the others to come back', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => get(`/api/traces/${large}`)))
    const told = answers.filter(({ status }) => status === 200)
    expect(told.length).toBeGreaterThanOrEqual(4)
    for (const answer of answers) {
      expect([200, 503]).toContain(answer.status)
      if (answer.status === 503) expect(answer.headers.get('retry-after')).toBe('1')
      await answer.arrayBuffer()
    }
    expect((await get('/api/gateway')).status).toBe(200)
  })

  test('a filter searches all that is held', async () => {
    const { traces } = await read('/api/traces?prefix=small-3')
    expect(traces[0]?.key).toBe('small-3999')
    const { traces: first, next } = await read('/api/traces?prefix=small-0')
    expect([first.map(({ key }) => key), next]).toEqual([['small-0'], undefined])
  })

  describe.skipIf(findTool('chromium') === undefined)('in Chromium', () => {
    let browser: Browser
    beforeAll(async () => {
      const executablePath = findTool('chromium') ?? ''
      browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
    })
    afterAll(() => browser.close())

    test('only what is seen is in the page, and the keyboard reaches the end', async () => {
      const page = await browser.newPage()
      await page.goto(`${origin}/#token=token`)
      await page.locator('.list tbody tr').first().waitFor()
      await page.goto(`${origin}/#/trace/${large}`)
      await page.locator('.row').first().waitFor()
      expect(await page.locator('.row').count()).toBeLessThan(100)
      await page.keyboard.press('End')
      const last = page.locator('.row.selected')
      await expect.poll(() => last.textContent()).toContain('ReadMetadata')
      expect(await page.locator('.details').textContent()).toContain(`part-${SPANS - 2}`)
      expect(await page.locator('.row').count()).toBeLessThan(100)
      await page.keyboard.press('f')
      await page.keyboard.press('z')
      await page.keyboard.press('0')
      await page.keyboard.press('Escape')
      await page.locator('.list tbody tr').first().waitFor()
    })
  })
})
