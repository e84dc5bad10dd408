import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { DemoCommand } from '../config/demo-command.ts'
import { STORE_MOUNT, type DemoAccounts } from './account-store.ts'

/** The gateway of the demonstration: this program, as a process of its own. */
export interface DemoGateway {
  readonly url: URL
  readonly viewer: URL
  readonly viewerToken: string
  readonly root: { readonly access: string; readonly secret: string }
  /** When it has ended by itself. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

type Run = Extract<DemoCommand, { kind: 'run' }>

const START_MS = 30_000
const STOP_MS = 12_000

export async function startDemoGateway(
  command: Run,
  directory: string,
  accounts: DemoAccounts,
): Promise<DemoGateway> {
  const root = { access: 'demo-root', secret: randomBytes(24).toString('base64url') }
  const viewerToken = randomBytes(24).toString('base64url')
  const [, program = ''] = process.argv
  const toConsole = command.exporter.split(',').some((name) => /^(?:console|stdout)$/.test(name))
  const child = spawn(process.execPath, [program, ...flagsOf(command, accounts), directory], {
    env: {
      ...command.env,
      ROOT_ACCESS_KEY_ID: root.access,
      ROOT_SECRET_ACCESS_KEY: root.secret,
      VGW_VIEWER_TOKEN: viewerToken,
      VGW_IAM_VAULT_ROOT_TOKEN: accounts.token,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
    // Of a group of its own: Ctrl-C is for us, who have still to ask it for its traces.
    detached: true,
  })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const ended = once(child, 'exit').then(() => void process.off('exit', kill))
  const places = await readPlaces(child.stdout, ended)
  child.stdout.removeAllListeners('data')
  // What it has to tell beside traces is of no interest here.
  if (toConsole) showTraces(child.stdout)
  else child.stdout.resume()
  return {
    ...places,
    viewerToken,
    root,
    ended,
    async stop() {
      child.kill('SIGTERM')
      const timer = setTimeout(kill, STOP_MS)
      await ended
      clearTimeout(timer)
    },
  }
}

/** All lines but those of the access log, which say the same in fewer words. */
function showTraces(output: NodeJS.ReadableStream): void {
  let rest = ''
  output.on('data', (piece: Buffer) => {
    const lines = (rest + piece.toString()).split('\n')
    rest = lines.pop() ?? ''
    const shown = lines.filter((line) => !line.includes(' | vgw | '))
    if (shown.length > 0) process.stdout.write(`${shown.join('\n')}\n`)
  })
}

function flagsOf(command: Run, accounts: DemoAccounts): string[] {
  const { exporter, endpoint, port, viewer } = command
  return [
    '--port',
    port,
    '--viewer',
    viewer,
    '--otel-enabled',
    '--otel-exporter',
    exporter,
    '--otel-insecure',
    ...(endpoint === undefined ? [] : ['--otel-endpoint', endpoint]),
    '--iam-vault-endpoint-url',
    accounts.url,
    '--iam-vault-mount-path',
    STORE_MOUNT,
    // Accounts are forgotten soon, so that the store is asked while it is down.
    '--iam-cache-ttl',
    '3',
    '--iam-cache-stale',
    '3',
    'posix',
  ]
}

async function readPlaces(
  output: NodeJS.ReadableStream,
  ended: Promise<void>,
): Promise<Pick<DemoGateway, 'url' | 'viewer'>> {
  let text = ''
  let timer: NodeJS.Timeout | undefined
  const said = new Promise<Pick<DemoGateway, 'url' | 'viewer'>>((resolve, reject) => {
    output.on('data', (piece: Buffer) => {
      text += piece.toString()
      const [, url] = /^ {2}listening {3}(http\S+)/m.exec(text) ?? []
      const [, viewer] = /^ {2}viewer {6}(\S+)/m.exec(text) ?? []
      if (url !== undefined && viewer !== undefined)
        resolve({ url: new URL(url), viewer: new URL(viewer) })
    })
    timer = setTimeout(() => reject(new Error('the gateway did not start in time')), START_MS)
  })
  const failed = ended.then((): never => {
    throw new Error('the gateway of the demonstration did not start')
  })
  try {
    return await Promise.race([said, failed])
  } finally {
    clearTimeout(timer)
  }
}
