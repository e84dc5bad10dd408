import { request } from 'node:http'

export const TOKEN = 'a-token-for-the-benchmark'
const REFRESH_MS = 10_000

/** The viewer's page: `closed`, `open` (paused), or `following`. In the browser at $CHROMIUM, or what it asks without one. */
export async function openPage(port, state) {
  if (state === 'closed') return { close: async () => {} }
  return process.env.CHROMIUM === undefined ? ask(port, state) : browse(port, state)
}

async function browse(port, state) {
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu'],
  })
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(`http://127.0.0.1:${port}/#token=${TOKEN}`)
  await page.locator('.list tbody tr').first().waitFor()
  if (state === 'open') await page.getByRole('button', { name: 'Pause' }).click()
  return { close: () => browser.close() }
}

/** What the page asks: the list once, the last hour again and again, and news. */
async function ask(port, state) {
  const headers = { Authorization: `Bearer ${TOKEN}` }
  const get = async (path) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
    await answer.arrayBuffer()
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
  }
  const hour = '/api/activity?slots=360&group=3'
  for (const path of ['/api/gateway', hour, '/api/traces?limit=100']) await get(path)
  const timer = setInterval(() => void get(hour), REFRESH_MS)
  const following = state === 'following' ? follow(port, headers) : undefined
  return {
    close: async () => {
      clearInterval(timer)
      following?.destroy()
    },
  }
}

function follow(port, headers) {
  const path = '/api/follow?limit=40'
  const outgoing = request({ host: '127.0.0.1', port, path, headers }, (answer) => answer.resume())
  outgoing.on('error', () => {})
  outgoing.end()
  return outgoing
}
