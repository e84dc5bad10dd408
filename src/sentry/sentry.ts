import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps, type RequestOptions } from 'node:https'
import type * as Sentry from '@sentry/node'
import type { ErrorFacts } from '../error-facts.ts'
import type { CorrelationIds } from '../trace/correlation.ts'
import { SendQueue } from './send-queue.ts'

export interface SentryOptions {
  readonly dsn: string
  readonly environment: string
  /** Version of the gateway. */
  readonly release: string
}

/** One report. Whatever is in it may be shown. */
export interface ErrorEvent {
  readonly level: 'error' | 'fatal'
  /** Undefined for a crash: which request it was nobody knows. */
  readonly ids: CorrelationIds | undefined
  readonly facts: ErrorFacts
  /** As the root span is called. */
  readonly operation: string | undefined
  readonly tags: Readonly<Record<string, string>>
}

/** Brings reports to Sentry. */
export interface ReportClient {
  send(event: ErrorEvent): void
  /** Reports that did not arrive. */
  lost(): number
  close(limitMs: number): Promise<void>
}

/** An endpoint that does not answer within this time is given up. */
const SEND_LIMIT_MS = 10_000

/**
 * Loads Sentry's SDK and builds a client of it; nothing else of the SDK runs. `Sentry.init` would read SENTRY_* variables,
 * patch modules and, on Node 20, make every promise of the process slower by its AsyncLocalStorage. The event is made here,
 * of facts that are on an allow-list, and `beforeSend` lets nothing else through.
 */
export async function openSentry(options: SentryOptions): Promise<ReportClient> {
  const sdk = await loadSdk()
  let queue: SendQueue<Parameters<Send>[0]> | undefined
  const client = new sdk.NodeClient({
    ...options,
    integrations: [],
    stackParser: sdk.defaultStackParser,
    sendClientReports: false,
    includeServerName: false,
    enableRuntimeChannelInjection: false,
    enableOpenTelemetrySetup: false,
    traceLifecycle: 'static',
    dataCollection: NOTHING_COLLECTED,
    maxBreadcrumbs: 0,
    transport(transportOptions) {
      const transport = sdk.makeNodeTransport({
        ...transportOptions,
        httpModule: httpWithin(SEND_LIMIT_MS),
      })
      const opened = new SendQueue((envelope: Parameters<Send>[0]) => transport.send(envelope))
      queue = opened
      return {
        send(envelope) {
          opened.add(envelope)
          return Promise.resolve({})
        },
        flush: (timeoutMs = SEND_LIMIT_MS) => opened.flush(timeoutMs),
      }
    },
    beforeSend: (event) => ({ ...onlyShown(event), type: undefined }),
  })
  type Send = ReturnType<typeof sdk.makeNodeTransport>['send']
  return {
    send(event) {
      const scope = new sdk.Scope()
      // The head of the envelope names a trace, too.
      if (event.ids !== undefined)
        scope.setPropagationContext({ traceId: event.ids.trace_id, sampleRand: 0 })
      client.captureEvent(toSentry(event, sdk.defaultStackParser), {}, scope)
    },
    lost: () => queue?.lost ?? 0,
    close: async (limitMs) => void (await client.close(limitMs)),
  }
}

type Sdk = typeof Sentry

async function loadSdk(): Promise<Sdk> {
  try {
    return await import('@sentry/node')
  } catch (cause) {
    throw new Error('--sentry-enabled: the optional package @sentry/node is not installed', {
      cause,
    })
  }
}

/** What the SDK would gather by itself: by its defaults bodies, headers and cookies. */
const NOTHING_COLLECTED = {
  userInfo: false,
  cookies: false,
  httpHeaders: false,
  httpBodies: [],
  urlQueryParams: false,
  graphQL: { document: false, variables: false },
  genAI: { inputs: false, outputs: false },
  mcp: { inputs: false, outputs: false },
  databaseQueryData: false,
  queues: false,
  stackFrameVariables: false,
}

type SentryEvent = Parameters<InstanceType<Sdk['NodeClient']>['captureEvent']>[0]

function toSentry(event: ErrorEvent, parseStack: Sdk['defaultStackParser']): SentryEvent {
  const { ids, facts, operation, tags } = event
  const causes = chainOf(facts)
  const cause = causes[0] ?? facts
  return {
    level: event.level,
    platform: 'node',
    ...(operation === undefined ? {} : { transaction: operation }),
    ...(ids === undefined
      ? {}
      : {
          contexts: {
            trace: { trace_id: ids.trace_id, span_id: ids.span_id, op: 'http.server' },
          },
        }),
    tags: { ...tags, ...(ids === undefined ? {} : { request_id: ids.request_id }) },
    fingerprint: [
      tags['error.type'] ?? '',
      operation ?? '',
      cause.type,
      cause.code ?? cause.message,
    ],
    exception: {
      values: causes.map(({ type, message, code, syscall, stack }) => ({
        type,
        value: [message, syscall, code].filter((text) => text !== undefined).join(' '),
        stacktrace: {
          frames: parseStack(['Error', ...stack.map((line) => `    ${line}`)].join('\n')),
        },
      })),
    },
  }
}

/** As Sentry wants them: the innermost cause first. */
function chainOf(facts: ErrorFacts): readonly ErrorFacts[] {
  return facts.cause === undefined ? [facts] : [...chainOf(facts.cause), facts]
}

const SHOWN = [
  'event_id',
  'timestamp',
  'level',
  'platform',
  'transaction',
  'tags',
  'fingerprint',
  'exception',
  'release',
  'environment',
  'sdk',
  'sdkProcessingMetadata',
] as const satisfies readonly (keyof SentryEvent)[]

/** Whatever the SDK has added stays here. */
function onlyShown(event: SentryEvent): SentryEvent {
  const shown: Record<string, unknown> = {}
  for (const key of SHOWN) if (event[key] !== undefined) shown[key] = event[key]
  const trace = event.contexts?.trace
  // Without a request the SDK makes up a trace that is nowhere.
  if (trace?.op !== undefined) shown['contexts'] = { trace }
  return shown
}

type HttpModule = NonNullable<Parameters<Sdk['makeNodeTransport']>[0]['httpModule']>

function httpWithin(limitMs: number): HttpModule {
  return {
    request(options, onAnswer) {
      // The SDK describes node:http more narrowly than Node does, and hands it no text.
      const given = options as RequestOptions
      const request = given.protocol === 'https:' ? requestHttps : requestHttp
      return request(
        { ...given, signal: AbortSignal.timeout(limitMs) },
        onAnswer as (answer: IncomingMessage) => void,
      )
    },
  }
}
