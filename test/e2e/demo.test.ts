import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Program, runProgram, scratch } from '../support/gateway.ts'

test('the demonstration plays, tells which traces to look at on Ctrl-C, and leaves nothing behind', async () => {
  const tmp = mkdtempSync(join(scratch(), 'vgw-demo-'))
  const demo = new Program(['demo', '--duration', '60', '--workers', '3'], {
    env: { TMPDIR: tmp },
  })
  await demo.waitFor(/its trace viewer: http:\/\/127\.0\.0\.1:\d+\/#token=/, 60_000)
  // A listing of the slow directory, or a slow client, comes within seconds; a minute is far off.
  await demo.waitFor(/S3\.PutObject/, 20_000)
  await demo.waitFor(/demo: 5 s of 60: \d{2,} requests/, 30_000)
  demo.kill('SIGINT')
  const { code } = await demo.exitWithin(40_000)
  expect(demo.stderr).toMatch(/Traces to look at:\n\n {2}[0-9a-f]{32} {2}/)
  // The console tells of them where it is the exporter.
  const [, traceId = 'none'] = /^ {2}([0-9a-f]{32}) {2}/m.exec(demo.stderr) ?? []
  expect(demo.stdout).toContain(traceId)
  expect(demo.stdout).not.toContain(' | vgw | ')
  expect(readdirSync(tmp)).toEqual([])
  expect(code).toBe(0)
  rmSync(tmp, { recursive: true })
})

test('what it cannot do is told', async () => {
  expect((await runProgram(['demo', '--workers', '0'])).stderr).toMatch(/--workers: "0" is not a/)
  expect((await runProgram(['demo', '--duration', 'x'])).stderr).toMatch(/--duration: "x/)
  expect((await runProgram(['demo', '--help'])).stdout).toMatch(/--exporter/)
})
