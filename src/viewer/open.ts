import { FailureCounts } from '../auth/failure-counts.ts'
import type { Iam } from '../auth/iam/iam.ts'
import type { Listener } from '../http/listener.ts'
import type { TlsPair } from '../http/server.ts'
import { watchLoop, type LoopLag } from '../trace/loop-lag.ts'
import type { GatewayView } from './api-types.ts'
import { createGuard } from './guard.ts'
import { createSessions } from './sessions.ts'
import { ThreadedTraces } from './threaded-traces.ts'
import type { TraceSource } from './trace-source.ts'
import { createViewer, type PageFile } from './viewer.ts'

export interface ViewerSettings {
  readonly listener: Listener
  readonly hosts: readonly string[]
  readonly token: string | undefined
  /** The token is told at the start: only this host reaches the listener. */
  readonly isLocal: boolean
  readonly maxBytes: number
}

/** What tracing hands its records to, where there is a viewer. */
export interface ViewerTraces {
  readonly held: ThreadedTraces
  readonly loopLag: LoopLag
}

/** So many of each kind (`RING`), as far as the memory reaches. */
const MAX_TRACES = 20_000

export function createViewerTraces(
  { maxBytes }: ViewerSettings,
  onFault: (error: unknown) => void,
): ViewerTraces {
  return {
    held: new ThreadedTraces({ maxBytes, maxTraces: MAX_TRACES }, onFault),
    loopLag: watchLoop(),
  }
}

export interface ViewerServices {
  readonly source: TraceSource
  readonly accounts: Iam
  readonly tls: TlsPair | undefined
  readonly about: Pick<GatewayView, 'version' | 'depth' | 'sampleRate'>
  readonly files: ReadonlyMap<string, PageFile>
  readonly onFault: (error: unknown) => void
}

export interface OpenViewer {
  listen(): Promise<void>
  /** Where a browser finds it, once it listens; with the token behind `#`, where there is one to be told. */
  readonly url: string | undefined
  setTls(pair: TlsPair): void
  close(): Promise<void>
}

export function openViewer(settings: ViewerSettings, services: ViewerServices): OpenViewer {
  const { listener, hosts, token, isLocal } = settings
  const { source, accounts, tls, about, files, onFault } = services
  const secure = tls !== undefined
  const viewer = createViewer({
    listener,
    tls,
    source,
    sessions: createSessions({
      accounts,
      token,
      failures: new FailureCounts(),
      cookieName: `vgw-viewer-${'port' in listener ? listener.port : 'socket'}`,
      secure,
    }),
    guard: createGuard({ hosts: [...hosts, ...ownName(listener)], secure }),
    about,
    files,
    onFault,
  })
  let url: string | undefined
  return {
    async listen() {
      const [place = ''] = await viewer.servers.listen()
      // Behind `#` it stays in the browser: it is in no log, no referrer and no cache.
      url = isLocal && token !== undefined ? `${place}/#token=${token}` : place
    },
    get url() {
      return url
    },
    setTls: (pair) => viewer.servers.setTls(pair),
    close: () => viewer.close(),
  }
}

function ownName(listener: Listener): readonly string[] {
  return 'path' in listener || listener.host === undefined ? [] : [listener.host]
}
