import type {
  ActivityView,
  ErrorAnswer,
  GatewayView,
  Login,
  TraceAnswer,
  TraceList,
  TraceNews,
} from '../api-types.ts'

/** An answer that is none of success; `status` 0 where the gateway was not reached. */
export class ApiError extends Error {
  readonly status: number
  readonly accepts: ErrorAnswer['accepts']

  constructor(status: number, { error, accepts }: ErrorAnswer) {
    super(error)
    this.status = status
    this.accepts = accepts
  }
}

/** How often one is asked again that had no time. */
const MOST_TRIES = 4

async function ask(path: string, init: RequestInit = {}, tries = 1): Promise<Response> {
  const response = await fetch(path, { ...init, credentials: 'same-origin' }).catch(() => {
    throw new ApiError(0, { error: 'the gateway does not answer' })
  })
  if (response.ok) return response
  if ((response.status === 503 || response.status === 429) && tries < MOST_TRIES) {
    const seconds = Number(response.headers.get('Retry-After') ?? 1)
    await new Promise((resolve) => setTimeout(resolve, Math.min(seconds, 5) * 1000))
    return ask(path, init, tries + 1)
  }
  const answer = (await response
    .json()
    .catch(() => ({ error: `status ${response.status}` }))) as ErrorAnswer
  throw new ApiError(response.status, answer)
}

async function get<T>(path: string, query: Query = {}): Promise<T> {
  const response = await ask(path + queryText(query))
  return (await response.json()) as T
}

/** Values that are empty are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>

function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  if (given.length === 0) return ''
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`
}

export const api = {
  logIn: async (login: Login): Promise<void> => {
    const headers = { 'Content-Type': 'application/json' }
    await ask('/api/session', { method: 'POST', body: JSON.stringify(login), headers })
  },
  logOut: async (): Promise<void> => {
    await ask('/api/session', { method: 'DELETE' })
  },
  gateway: () => get<GatewayView>('/api/gateway'),
  traces: (query: Query) => get<TraceList>('/api/traces', query),
  trace: (id: string) => get<TraceAnswer>(`/api/traces/${encodeURIComponent(id)}`),
  activity: (slots: number, group: number) => get<ActivityView>('/api/activity', { slots, group }),
  otlpPath: (id: string) => `/api/traces/${encodeURIComponent(id)}/otlp`,
  /** Gives each batch of new traces to `onNews` until the result is called. */
  follow(query: Query, onNews: (news: TraceNews) => void, onState: (isOpen: boolean) => void) {
    const source = new EventSource(`/api/follow${queryText(query)}`)
    source.addEventListener('traces', (event: MessageEvent<string>) =>
      onNews(JSON.parse(event.data) as TraceNews),
    )
    source.addEventListener('open', () => onState(true))
    source.addEventListener('error', () => onState(false))
    return () => source.close()
  },
}
