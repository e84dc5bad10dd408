import type { Writable } from 'node:stream'
import type { ViewerCommand } from '../../config/viewer-command.ts'
import type { TraceAnswer, TraceList, TraceNews, TraceRow } from '../api-types.ts'
import { createAsker, type Asker } from './ask.ts'
import { createRenderer, type Renderer } from './render.ts'

type Run = Exclude<ViewerCommand, { kind: 'help' }>

/** Runs `explain` or `traces`: writes to `output` until there is no more to say. */
export async function runViewerCommand(
  command: Run,
  output: Writable & { readonly isTTY?: boolean },
): Promise<void> {
  const asker = await createAsker(command.connection)
  const renderer = createRenderer(output.isTTY === true && command.mayColor)
  const shown = { asker, renderer, output }
  if (command.kind === 'explain') return explain(command, shown)
  return command.follow ? follow(command, shown) : list(command, shown)
}

interface Shown {
  readonly asker: Asker
  readonly renderer: Renderer
  readonly output: Writable
}

async function explain(
  { what, filter, json, tree }: Extract<Run, { kind: 'explain' }>,
  { asker, renderer, output }: Shown,
): Promise<void> {
  const id = what.kind === 'id' ? what.id : (await findRow(asker, what.kind, filter)).requestId
  const answer = (await asker.get(`/api/traces/${id}`)) as TraceAnswer | undefined
  if (answer === undefined)
    throw new Error(
      `no trace of ${id} is held: it was not kept (sampling), or newer ones took its place`,
    )
  if (json) {
    output.write(`${JSON.stringify(answer.traces)}\n`)
    return
  }
  const texts = answer.traces.map(
    (trace) =>
      `${tree ? renderer.tree(trace) : renderer.line(trace)}\n\n${renderer.words(trace)}\n`,
  )
  output.write(texts.join('\n'))
}

async function findRow(
  asker: Asker,
  kind: 'slowest' | 'last-error',
  filter: Readonly<Record<string, string>>,
): Promise<TraceRow> {
  const query = new URLSearchParams({ limit: '1', ...filter })
  if (kind === 'slowest') query.set('order', 'slowest')
  else query.set('status', filter['status'] ?? 'error')
  const { traces } = (await asker.get(`/api/traces?${query.toString()}`)) as TraceList
  const [row] = traces
  if (row === undefined)
    throw new Error(kind === 'slowest' ? 'no trace is held' : 'no request has failed lately')
  return row
}

async function list(
  { filter, limit, json, tree }: Extract<Run, { kind: 'traces' }>,
  shown: Shown,
): Promise<void> {
  const query = new URLSearchParams({ ...filter, limit: String(limit) })
  const { traces } = (await shown.asker.get(`/api/traces?${query.toString()}`)) as TraceList
  for (const row of traces.toReversed()) await show(row, { json, tree }, shown)
}

/** Of one event, of which there are two a second: as many as the viewer gives. */
const MOST_NEWS = 500

async function follow(
  { filter, json, tree }: Extract<Run, { kind: 'traces' }>,
  shown: Shown,
): Promise<void> {
  const query = new URLSearchParams({ ...filter, limit: String(MOST_NEWS) })
  const stream = await shown.asker.open(`/api/follow?${query.toString()}`)
  let text = ''
  stream.setEncoding('utf8')
  for await (const piece of stream as AsyncIterable<string>) {
    text += piece
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      const data = /^data: (.*)$/m.exec(event)?.[1]
      if (data === undefined) continue
      const { traces, skipped }: TraceNews = JSON.parse(data)
      for (const row of traces) await show(row, { json, tree }, shown)
      if (skipped > 0 && !json) shown.output.write(`… ${skipped} more\n`)
    }
  }
  throw new Error('the viewer ended the connection')
}

async function show(
  row: TraceRow,
  { json, tree }: { readonly json: boolean; readonly tree: boolean },
  { asker, renderer, output }: Shown,
): Promise<void> {
  if (!tree) {
    output.write(json ? `${JSON.stringify(row)}\n` : `${renderer.line(row)}\n`)
    return
  }
  const answer = (await asker.get(`/api/traces/${row.requestId}`)) as TraceAnswer | undefined
  for (const trace of answer?.traces ?? [])
    output.write(json ? `${JSON.stringify(trace)}\n` : `${renderer.tree(trace)}\n\n`)
}
