import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { useGateway } from '../support/fixture.ts'
import { findTool } from '../support/tools.ts'

const program = findTool('chromium')
const HOSTILE = '<img src=x onerror=alert(1)>'
/** A bell, a line end, and what makes the rest read backwards. */
const CONTROLS = 'c\u0007d\ne\u202ef'
/** What keeps a browser from asking its maker for things. */
const OFFLINE =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split(
    ' ',
  )

/** Where the first chart has a pixel of the colour of what went well: it is drawn, not made of elements. */
const FIND_DOT = `(() => {
  const canvas = document.querySelector('.u-wrap canvas')
  const probe = document.body.appendChild(document.createElement('i'))
  probe.style.color = 'var(--good)'
  const color = getComputedStyle(probe).color.match(/\\d+/g).map(Number)
  probe.remove()
  const { width, height } = canvas
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height)
  const box = canvas.getBoundingClientRect()
  for (let i = 0; i < width * height; i++)
    if (color.every((part, c) => Math.abs(data[i * 4 + c] - part) < 3) && data[i * 4 + 3] > 250)
      return [box.left + ((i % width) / width) * box.width, box.top + (Math.floor(i / width) / height) * box.height + 2]
  return null
})()`

describe.skipIf(program === undefined)('The page of the viewer, in Chromium', () => {
  const at = useGateway({ flags: ['--viewer', '127.0.0.1:0'] })
  let browser: Browser
  let page: Page
  let faults: string[] = []
  let bucket = ''

  const address = (): string =>
    /viewer {6}(http:\S+#token=\S+)/.exec(at.gateway.stdout)?.[1] ?? 'no viewer'
  const origin = (): string => new URL(address()).origin
  const rows = () => page.locator('.list tbody tr')
  const rowOf = (text: string) => page.locator('.list tbody tr', { hasText: text })

  beforeAll(async () => {
    bucket = await at.bucket()
    browser = await chromium.launch({ executablePath: program ?? '', args: OFFLINE })
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'plain', Body: 'body' }))
    for (const Key of [HOSTILE, CONTROLS])
      await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }))
    const missing = new GetObjectCommand({ Bucket: bucket, Key: 'missing' })
    await at.s3.send(missing).catch(() => undefined)
  })
  afterAll(() => browser?.close())
  beforeEach(async () => {
    faults = []
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    page = await context.newPage()
    page.on('dialog', (dialog) => {
      faults.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('401')) faults.push(message.text())
    })
    page.on('request', (request) => {
      const url = new URL(request.url())
      if (url.protocol !== 'data:' && url.origin !== origin()) faults.push(`asked ${url.origin}`)
    })
    await page.goto(address())
    await rowOf('plain').first().waitFor()
  })
  afterEach(async () => {
    await page.context().close()
    // Nothing ran that should not, nothing was asked elsewhere, and the policy of the page was not run against.
    expect(faults).toEqual([])
  })

  test('the token leaves the address, and a link is enough from then on', async () => {
    expect(page.url()).not.toContain('token')
    await rowOf('plain').first().click()
    await page.locator('.sentence').waitFor()
    const link = page.url()
    const other = await page.context().newPage()
    await other.goto(link)
    await other.locator('.sentence').waitFor()
    expect(await other.locator('h1').textContent()).toBe('PutObject')
    await other.close()
  })

  test('who has no token is asked for it, and for an account', async () => {
    const stranger = await browser.newPage()
    await stranger.goto(origin())
    await stranger.locator('input[name=token]').waitFor()
    await stranger.locator('input[name=token]').fill('wrong')
    await stranger.locator('button[type=submit]').click()
    await expect.poll(() => stranger.locator('[role=alert]').textContent()).toMatch(/token/)
    await stranger.locator('input[name=token]').fill('')
    await stranger.locator('input[name=access]').fill(at.credentials.access)
    await stranger.locator('input[name=secret]').fill(at.credentials.secret)
    await stranger.locator('button[type=submit]').click()
    await stranger.locator('.list tbody tr').first().waitFor()
    await stranger.close()
  })

  test('filters are part of the address, and reach what they name', async () => {
    await page.locator('input[name=operation]').fill('GetObject')
    await page.locator('select[name=status]').selectOption('4xx')
    await page.locator('select[name=status]').blur()
    await expect.poll(() => page.url()).toContain('operation=GetObject')
    await expect.poll(() => rows().count()).toBe(1)
    expect(await rows().first().textContent()).toContain('NoSuchKey')
    await page.reload()
    await expect.poll(() => rows().count()).toBe(1)
    await page.locator('input[name=bucket]').fill('no-such-bucket')
    await page.keyboard.press('Enter')
    await page.locator('td.none').waitFor()
  })

  test('each filter leaves what it names', async () => {
    const only = `only-${Date.now()}`
    const { $metadata } = await at.s3.send(
      new PutObjectCommand({ Bucket: bucket, Key: `${only}/k`, Body: 'x' }),
    )
    const listed = (await (
      await page.request.get(`${origin()}/api/traces?prefix=${only}`)
    ).json()) as { traces: { traceId: string; requestId: string }[] }
    const [trace] = listed.traces
    expect(trace?.requestId).toBe($metadata.requestId)
    const fields: readonly (readonly [name: string, fits: string, fitsNot: string])[] = [
      ['operation', 'PutObject', 'ListBuckets'],
      ['bucket', bucket, 'no-such-bucket'],
      ['prefix', `${only}/`, `${only}//`],
      ['minMs', '0.001', '60000'],
      ['access', at.credentials.access, 'nobody'],
      ['id', trace?.traceId ?? '', '0'.repeat(32)],
      ['id', trace?.requestId ?? '', '0'.repeat(16)],
    ]
    await page.locator('input[name=prefix]').fill(only)
    await page.keyboard.press('Enter')
    await expect.poll(() => rows().count()).toBe(1)
    // What fits stays in its field: in the end all of them match together.
    for (const [name, fits, fitsNot] of fields) {
      await page.locator(`input[name=${name}]`).fill(fitsNot)
      await page.keyboard.press('Enter')
      await page.locator('td.none').waitFor()
      await page.locator(`input[name=${name}]`).fill(fits)
      await page.keyboard.press('Enter')
      await rowOf(only).first().waitFor()
      expect([name, await rows().count()]).toEqual([name, 1])
    }
    for (const [status, count] of [
      ['2xx', 1],
      ['4xx', 0],
    ] as const) {
      await page.locator('select[name=status]').selectOption(status)
      await expect.poll(() => rowOf(only).count()).toBe(count)
    }
  })

  test('a dot opens its trace', async () => {
    await page.goto(`${origin()}/#/?prefix=plain`)
    await rowOf('plain').first().waitFor()
    await expect.poll(() => rows().count()).toBe(1)
    const dot = () => page.evaluate<readonly [number, number] | null>(FIND_DOT)
    await expect.poll(dot).not.toBeNull()
    await page.mouse.click(...((await dot()) ?? [0, 0]))
    await page.locator('.sentence').waitFor()
    expect(await page.locator('.heading .object').textContent()).toContain('plain')
  })

  test('a link shown to somebody else leads there by way of the door', async () => {
    await rowOf('plain').first().click()
    await page.locator('.sentence').waitFor()
    await page.keyboard.press('ArrowDown')
    await expect.poll(() => page.url()).toContain('span=')
    const link = page.url()
    const stranger = await (await browser.newContext()).newPage()
    await stranger.goto(link)
    await stranger.locator('input[name=token]').fill(/#token=(\S+)/.exec(address())?.[1] ?? '')
    await stranger.locator('button[type=submit]').click()
    await stranger.locator('.sentence').waitFor()
    expect(await stranger.locator('.details h2').textContent()).toBe('Auth.V4Signature')
    expect(stranger.url()).toBe(link)
    await stranger.context().close()
  })

  test('what comes is shown as it comes, and not while it is paused', async () => {
    await expect.poll(() => page.locator('.list .state').first().textContent()).toBe('Following')
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'followed', Body: 'f' }))
    await rowOf('followed').first().waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await at.s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'unseen', Body: 'u' }))
    await page.getByRole('button', { name: 'Follow' }).click()
    await rowOf('unseen').first().waitFor()
  })

  test('a trace is words, phases and a waterfall that the keyboard walks', async () => {
    await rowOf('plain').first().locator('a').focus()
    await page.keyboard.press('Enter')
    await page.locator('.sentence').waitFor()
    expect(await page.locator('.sentence').textContent()).toMatch(/^[\d.]+ (?:µs|ms|s)/)
    const names = page.locator('.row .name')
    await expect.poll(() => names.allTextContents()).toContain('OpenTmpFile')
    expect((await names.allTextContents())[0]).toContain('S3.PutObject')
    const chosen = () => page.locator('.details h2').textContent()
    await page.keyboard.press('ArrowDown')
    expect(await chosen()).toBe('Auth.V4Signature')
    await expect.poll(() => page.url()).toContain('span=')
    await page.keyboard.press('Home')
    const all = await names.count()
    await page.keyboard.press('ArrowLeft')
    await expect.poll(() => names.count()).toBe(1)
    await page.keyboard.press('ArrowRight')
    await expect.poll(() => names.count()).toBe(all)
    expect(await page.locator('.details dl').allTextContents()).toEqual(
      expect.arrayContaining([expect.stringContaining('s3.bucket')]),
    )
    const shades = await page
      .locator('.row .span')
      .evaluateAll((bars) => new Set(bars.map((bar) => bar.className)).size)
    expect(shades).toBeGreaterThan(2)
    expect(await page.locator('.details').textContent()).toMatch(/of that itself/)
    const width = () =>
      page
        .locator('.row .span')
        .nth(1)
        .evaluate((bar) => (bar as unknown as { style: { width: string } }).style.width)
    const before = Number.parseFloat(await width())
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('z')
    // How much depends on how long that part took.
    await expect.poll(async () => Number.parseFloat(await width())).not.toBeCloseTo(before, 1)
    await page.keyboard.press('0')
    await expect.poll(async () => Number.parseFloat(await width())).toBeCloseTo(before, 1)
    const download = page.waitForEvent('download')
    await page.getByRole('link', { name: 'OTLP JSON' }).click()
    expect((await download).suggestedFilename()).toMatch(/^trace-[0-9A-F]{16}\.json$/)
    await page.keyboard.press('Escape')
    await rows().first().waitFor()
  })

  test('markup and control characters in names are text', async () => {
    expect(await page.locator('td.object', { hasText: '/c␇d␊e�f' }).count()).toBe(1)
    const row = rowOf('<img src=x').first()
    expect(await row.locator('.object').textContent()).toBe(`${bucket}/${HOSTILE}`)
    await row.click()
    await page.locator('.heading .object').waitFor()
    expect(await page.locator('.heading .object').textContent()).toContain(HOSTILE)
    expect(await page.locator('main img').count()).toBe(0)
  })

  test.each(['light', 'dark'] as const)(
    '%s, on a laptop and on a phone, nothing overflows',
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme })
      const isWide = () =>
        page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')
      const shades = await page.evaluate<readonly [page: number, text: number]>(
        `['backgroundColor', 'color'].map((name) => getComputedStyle(document.documentElement)[name]
        .match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))`,
      )
      expect(shades[0] > shades[1]).toBe(colorScheme === 'light')
      for (const size of [
        { width: 1280, height: 800 },
        { width: 390, height: 800 },
      ]) {
        await page.setViewportSize(size)
        await page.goto(`${origin()}/#/`)
        await rows().first().waitFor()
        expect([size.width, 'list', await isWide()]).toEqual([size.width, 'list', false])
        await rowOf('plain').first().click()
        await page.locator('.sentence').waitFor()
        expect([size.width, 'trace', await isWide()]).toEqual([size.width, 'trace', false])
      }
    },
  )
})
