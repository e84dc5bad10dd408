import type { Explanation, Phase } from '../explain/explanation.ts'
import type { ActivityReport } from '../trace/activity-slots.ts'
import type { AttributeValue } from '../trace/recorder.ts'

/**
 * The viewer's JSON API: what its page, `versitygw-ts explain` and `versitygw-ts traces` are built on.
 *
 * | request | answer |
 * | --- | --- |
 * | `POST /api/session` `Login` | 204 and a cookie (HttpOnly, SameSite=Strict); 401 |
 * | `DELETE /api/session` | 204, and the cookie is gone |
 * | `GET /api/gateway` | `GatewayView` |
 * | `GET /api/traces?…` (`TraceFilter`, `limit`, `before`) | `TraceList` |
 * | the same with `order=slowest` | `TraceList`, the slowest first, without `before` |
 * | `GET /api/follow?…` (`TraceFilter`, `limit`) | server-sent events `traces`, each with a `TraceNews` |
 * | `GET /api/traces/ID` (a trace id or a request id) | `TraceAnswer`; 404 |
 * | `GET /api/traces/ID/otlp` | OTLP JSON, as a download; 404 |
 * | `GET /api/activity?slots=360&group=1` | `ActivityView` |
 *
 * All of them but `POST /api/session` need the cookie, `Authorization: Bearer TOKEN`, or `Authorization: Basic` with the access
 * key and the secret of an admin account. A request that changes something must come from the page's own origin. Errors are an
 * `ErrorAnswer` with a status of 400 (what was asked), 401 (who asks), 403 (from where), 404, 405, 413, 429 (too often; see
 * Retry-After), 503 (too many follow, or too much is asked at a time).
 *
 * Texts from requests (bucket, key, user agent, …) are whatever clients sent, control characters and markup included: a page
 * shows them as text, never as HTML.
 */
export type Login =
  | { readonly token: string }
  | { readonly access: string; readonly secret: string }

export interface ErrorAnswer {
  readonly error: string
  /** With 401: what is accepted. */
  readonly accepts?: readonly ('token' | 'account')[]
}

export interface GatewayView {
  readonly version: string
  readonly host: string
  readonly workers: number
  /** Unix time, milliseconds. */
  readonly startedMs: number
  /** Who asks: an access key, or `token`. */
  readonly who: string
  /** Traces and bytes that are held, in all workers; `thinned` were kept but not taken here, there being over 250 a second. */
  readonly held: { readonly traces: number; readonly bytes: number; readonly thinned: number }
  /** How deep traces go, and how many are kept. */
  readonly depth: string
  readonly sampleRate: number
}

/** All are optional, all must match. Query parameters of these names. */
export interface TraceFilter {
  /** `GetObject`, or `S3.GetObject`. */
  readonly operation?: string
  readonly bucket?: string
  /** What the key begins with. */
  readonly prefix?: string
  /** `200`, a class such as `4xx`, or `error` for 400 and above. */
  readonly status?: string
  /** At least so long. */
  readonly minMs?: number
  readonly access?: string
  /** A trace id or a request id. */
  readonly id?: string
  /** Why it was kept: `head`, `error`, `slow`. */
  readonly reason?: string
}

/** A line of the list. */
export interface TraceRow {
  readonly traceId: string
  /** As in X-Amz-Request-Id. Several requests may share a trace id; a request id is one request's. */
  readonly requestId: string
  /** Unix time of its beginning, milliseconds with a fraction. */
  readonly startMs: number
  readonly durationMs: number
  /** `GetObject`; `Admin.CreateUser`. */
  readonly operation: string
  readonly bucket?: string
  readonly key?: string
  /** 0 where the client went away before there was an answer. */
  readonly status: number
  /** The S3 error code. */
  readonly error?: string
  /** Object bytes. */
  readonly bytes?: number
  /** The access key; absent where the caller was anonymous or had no valid one. */
  readonly access?: string
  readonly reason: string
  readonly spans: number
}

export interface TraceList {
  /** The newest first. */
  readonly traces: readonly TraceRow[]
  /** `before` of the next page; absent where there is no more. */
  readonly next?: string
}

export interface TraceNews {
  /** The oldest first; where more came than `limit` (100), what failed or was slow and the newest of the rest. */
  readonly traces: readonly TraceRow[]
  /** How many more there were since the last event. */
  readonly skipped: number
}

export interface TraceAnswer {
  /** Usually one; a trace id may be that of several requests. The newest first, 20 at most. */
  readonly traces: readonly TraceView[]
}

/** One request whole. */
export interface TraceView extends TraceRow {
  readonly explanation: Explanation
  /** Parents before their children, siblings by their beginning. The first is the root. */
  readonly tree: readonly SpanView[]
  /** Spans for which there was no room. */
  readonly dropped: number
  readonly resource: Readonly<Record<string, AttributeValue>>
}

export interface SpanView {
  /** 16 hex digits. */
  readonly id: string
  /** Where in `tree` its parent stands; -1 for the root. */
  readonly parent: number
  /** The root is 0. */
  readonly level: number
  readonly name: string
  readonly phase: Phase
  /** Since the root's beginning. */
  readonly startUs: number
  readonly durationUs: number
  /** Without the time of its children. */
  readonly selfUs: number
  readonly attributes: Readonly<Record<string, AttributeValue>>
  readonly events: readonly EventView[]
  /** Only where it failed. */
  readonly error?: string
}

export interface EventView {
  readonly name: string
  /** Since the root's beginning. */
  readonly atUs: number
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

/** Of all workers together. `group` slots are one: `slotMs` says how long that is. */
export interface ActivityView extends ActivityReport {
  /** What the indexes in `latency` stand for: upper bounds, milliseconds. */
  readonly latencyBoundsMs: readonly number[]
}
