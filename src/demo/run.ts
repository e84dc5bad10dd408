import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DemoCommand } from '../config/demo-command.ts'
import { size } from '../explain/words.ts'
import { fillDirectory, makeScratch, removeScratch } from '../io/scratch.ts'
import { startAccounts, type DemoAccounts } from './account-store.ts'
import { startDemoGateway, type DemoGateway } from './gateway-process.ts'
import { BUCKET, SLOW_DIRECTORY, playClient, type Score } from './play.ts'
import { remarkable } from './remarkable.ts'
import { createCaller } from './s3-call.ts'

type Run = Extract<DemoCommand, { kind: 'run' }>

/** Plays the demonstration to its end, or to Ctrl-C, and leaves nothing behind. */
export async function runDemo(command: Run): Promise<void> {
  const stop = new AbortController()
  const onSignal = (): void => stop.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  const directory = await makeScratch('versitygw-demo-')
  let accounts: DemoAccounts | undefined
  let gateway: DemoGateway | undefined
  try {
    say('making a directory that is slow to list')
    await fillDirectory(join(directory, BUCKET, SLOW_DIRECTORY.name), SLOW_DIRECTORY.files)
    accounts = await startAccounts(randomBytes(16).toString('hex'), randomBytes(16).toString('hex'))
    gateway = await startDemoGateway(command, directory, accounts)
    say(
      `a gateway at ${gateway.url.origin}, its traces: ${command.exporter}\n` +
        `its trace viewer: ${gateway.viewer.origin}/#token=${gateway.viewerToken}`,
    )
    await play(command, gateway, { accounts, stop })
    await tell(gateway)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    await gateway?.stop()
    accounts?.close()
    await removeScratch(directory)
  }
}

async function play(
  { durationMs, workers }: Run,
  gateway: DemoGateway,
  { accounts, stop }: { readonly accounts: DemoAccounts; readonly stop: AbortController },
): Promise<void> {
  const { signal } = stop
  const score: Score = { requests: 0, bytes: 0, clientErrors: 0, serverErrors: 0, broken: 0 }
  const call = createCaller(gateway.url, gateway.root, signal)
  const stage = { call, score, accountSecret: accounts.secret, signal }
  const timers = [
    setTimeout(() => stop.abort(), durationMs),
    setTimeout(() => breakAccounts(accounts, true), durationMs * 0.4),
    setTimeout(() => breakAccounts(accounts, false), durationMs * 0.6),
  ]
  const showing = showProgress(score, durationMs)
  void gateway.ended.then(onSignalOf(stop))
  await Promise.all(Array.from({ length: workers }, (_, i) => playClient(i + 1, stage)))
  for (const timer of timers) clearTimeout(timer)
  showing.end()
}

function onSignalOf(stop: AbortController): () => void {
  return () => stop.abort()
}

function breakAccounts(accounts: DemoAccounts, isDown: boolean): void {
  accounts.isDown = isDown
  say(isDown ? 'the account store goes down' : 'the account store is back')
}

/** A line that is written over on a terminal, and one in five seconds elsewhere. */
function showProgress(score: Score, durationMs: number): { end(): void } {
  const isTerminal = process.stderr.isTTY
  const started = performance.now()
  const line = (): string => {
    const seconds = Math.round((performance.now() - started) / 1000)
    const { requests, bytes, clientErrors, serverErrors } = score
    return `${seconds} s of ${Math.round(durationMs / 1000)}: ${requests} requests, ${size(bytes)}, ${clientErrors} refused, ${serverErrors} failed`
  }
  const timer = setInterval(
    () => process.stderr.write(isTerminal ? `\r\u001b[K${line()}` : `demo: ${line()}\n`),
    isTerminal ? 500 : 5000,
  )
  return {
    end() {
      clearInterval(timer)
      process.stderr.write(isTerminal ? `\r\u001b[K${line()}\n` : `demo: ${line()}\n`)
    },
  }
}

async function tell(gateway: DemoGateway): Promise<void> {
  // The last traces end with their answers.
  await sleep(300)
  const traces = await remarkable(gateway).catch(() => [])
  if (traces.length === 0) return say('no trace is worth a look')
  const lines = traces.map(({ why, traceId, sentence }) => `  ${traceId}  ${why}\n    ${sentence}`)
  process.stderr.write(`\nTraces to look at:\n\n${lines.join('\n')}\n\n`)
}

function say(text: string): void {
  const begin = process.stderr.isTTY ? '\r\u001b[K' : ''
  process.stderr.write(`${begin}demo: ${text.replaceAll('\n', '\ndemo: ')}\n`)
}
