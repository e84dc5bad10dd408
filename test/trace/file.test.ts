import { mkdir, mkdtemp, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RotatingFile } from '../../src/io/rotating-file.ts'
import { loggedTracing, traceRequest, type LoggedTracing } from '../support/otlp-tracing.ts'

interface Line {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: object }[] }
    readonly scopeSpans: readonly { readonly spans: readonly { traceId: string; name: string }[] }[]
  }[]
}

describe('OTLP JSON lines (https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/)', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'vgw-file-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  const start = (path: string, maxBytes = 1024 ** 2): LoggedTracing =>
    loggedTracing(
      { exporters: ['file'], file: { path, maxBytes } },
      { openFile: (file) => new RotatingFile(file) },
    )
  const linesOf = async (path: string): Promise<Line[]> => {
    const text = await readFile(path, 'utf8')
    expect(text.endsWith('\n')).toBe(true)
    return text
      .slice(0, -1)
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
  }
  const tracesOf = (lines: readonly Line[]) =>
    lines.map(
      ({ resourceSpans }) => resourceSpans[0]?.scopeSpans.flatMap(({ spans }) => spans) ?? [],
    )

  test('one trace a line, readable by its owner alone', async () => {
    const path = join(dir, 'one.jsonl')
    const tracing = start(path)
    const ids = [traceRequest(tracing), traceRequest(tracing)].map(({ traceId }) => traceId)
    await tracing.close()
    const lines = await linesOf(path)
    const traces = tracesOf(lines)
    expect(traces.map((spans) => spans.map(({ traceId }) => traceId))).toEqual(
      ids.map((id) => [id, id, id]),
    )
    expect(traces[0]?.map(({ name }) => name)).toContain('S3.GetObject')
    const { attributes } = lines[0]?.resourceSpans[0]?.resource ?? { attributes: [] }
    expect(attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'versitygw' } })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('a full file is put aside, and one that somebody has moved is begun anew', async () => {
    const path = join(dir, 'full.jsonl')
    const tracing = start(path, 10_000)
    for (let i = 0; i < 30; i++) {
      traceRequest(tracing)
      await tracing.flush()
    }
    expect((await stat(path)).size).toBeLessThanOrEqual(10_000)
    expect((await stat(`${path}.1`)).size).toBeLessThanOrEqual(10_000)
    await linesOf(path)
    await rename(path, `${path}.moved`)
    const { traceId } = traceRequest(tracing)
    await tracing.close()
    expect(tracesOf(await linesOf(path)).map((spans) => spans[0]?.traceId)).toEqual([traceId])
    expect(tracing.stats()).toMatchObject({ exported: 93, failed: 0, dropped: 0 })
  })

  test('several processes write one file: lines stay whole, and both files bounded', async () => {
    const path = join(dir, 'shared.jsonl')
    const writers = Array.from({ length: 3 }, () => new RotatingFile({ path, maxBytes: 20_000 }))
    const line = (writer: number, i: number): Buffer =>
      Buffer.from(`${JSON.stringify({ writer, i, fill: 'x'.repeat(500) })}\n`)
    for (let i = 0; i < 100; i++) {
      // At once, so that several find it full in the same moment.
      await Promise.all(writers.map((file, writer) => file.append(line(writer, i))))
      const aside = await stat(`${path}.1`).catch(() => undefined)
      // Nobody puts aside what another has just begun.
      if (aside !== undefined) expect(aside.size).toBeGreaterThan(18_000)
    }
    await Promise.all(writers.map((file) => file.close()))
    for (const name of [path, `${path}.1`]) {
      const text = await readFile(name, 'utf8')
      expect(text.length).toBeLessThan(25_000)
      for (const one of text.split('\n').slice(0, -1))
        expect(Object.keys(JSON.parse(one) as object)).toEqual(['writer', 'i', 'fill'])
    }
  })

  test('a process killed while it put the file aside does not keep the others from doing so', async () => {
    const path = join(dir, 'killed.jsonl')
    const turn = `${path}.rotating`
    await mkdir(turn)
    const file = new RotatingFile({ path, maxBytes: 100 })
    for (let i = 0; i < 3; i++) await file.append(Buffer.from(`${'x'.repeat(80)}\n`))
    expect((await stat(path)).size).toBe(243)
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(turn, longAgo, longAgo)
    await file.append(Buffer.from('y\n'))
    await file.close()
    expect([(await stat(path)).size, (await stat(`${path}.1`)).size]).toEqual([2, 243])
    await expect(stat(turn)).rejects.toThrow('ENOENT')
  })

  test('where it cannot be written a line says so, and what is lost is counted', async () => {
    const tracing = start(join(dir, 'no', 'such', 'place.jsonl'))
    for (let i = 0; i < 3; i++) {
      traceRequest(tracing)
      await tracing.flush()
    }
    await tracing.close()
    expect(tracing.stats()).toMatchObject({ exported: 0, failed: 9 })
    expect(tracing.lines.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringContaining('ENOENT'),
    ])
  })
})
