import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Fixture } from './fixture.ts'
import type { RawResponse } from './raw-http.ts'

/** What VersityGW wrote, and what it answered for it: `test/compat/versitygw-data.*`. */
export interface CompatData {
  readonly versitygw: string
  readonly credentials: Readonly<
    Record<string, { readonly access: string; readonly secret: string }>
  >
  readonly requests: readonly RecordedRequest[]
  readonly unfinished: readonly UnfinishedUpload[]
}

export interface RecordedRequest {
  readonly root: 'plain' | 'locked'
  readonly as: string
  readonly method: string
  readonly target: string
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly size?: number
  readonly sha256?: string
  /** Whole documents, where they are small and their order is fixed. */
  readonly xml?: string
  readonly error?: Readonly<Record<string, string>>
}

export interface UnfinishedUpload {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  readonly partSizes: readonly number[]
  readonly checksumAlgorithm: 'CRC32C' | 'SHA256' | null
}

const file = (name: string): string => fileURLToPath(new URL(`../compat/${name}`, import.meta.url))

export function readCompatData(): CompatData {
  return JSON.parse(readFileSync(file('versitygw-data.json'), 'utf8')) as CompatData
}

/** Unpacks `plain`, `locked`, `versions` and `iam`, attributes and times included. */
export function extractCompatData(dir: string): void {
  execFileSync('tar', [
    '--xattrs',
    '--xattrs-include=user.*',
    '-xzpf',
    file('versitygw-data.tar.gz'),
    '-C',
    dir,
  ])
}

/** The contents of objects and parts there: one labelled line over and over. */
export function compatText(size: number, label: string): Buffer {
  const line = `${label}: the quick brown fox jumps over the lazy dog\n`
  return Buffer.from(line.repeat(Math.floor(size / line.length) + 1)).subarray(0, size)
}

/** Differ from one answer to the next, or belong to the connection. */
const VOLATILE = new Set([
  'date',
  'x-amz-request-id',
  'x-amz-id-2',
  'x-trace-id',
  'connection',
  'keep-alive',
  'server',
])

/** Headers to compare: names in lower case, bytes above 127 as the UTF-8 they are. */
export function comparableHeaders({ headers, status }: RawResponse): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (VOLATILE.has(lower) || (status >= 300 && lower === 'content-length')) continue
    result[lower] = Buffer.from(value, 'latin1').toString('utf8')
  }
  return result
}

/** Elements of an error document but the ids. */
export function errorElements(text: string): Record<string, string> {
  const inner = /<Error>(.*)<\/Error>/s.exec(text)?.[1] ?? ''
  const elements = [...inner.matchAll(/<([A-Za-z0-9-]+)>([^<]*)<\/\1>/g)].map(
    ([, name = '', value = '']) => [name, value] as const,
  )
  return Object.fromEntries(elements.filter(([name]) => name !== 'RequestId' && name !== 'HostId'))
}

/** What a gateway answers to a recorded request, as far as it can be compared. */
export async function replayRecorded(
  at: Pick<Fixture, 'send'>,
  { method, target, requestHeaders }: RecordedRequest,
): Promise<Record<string, unknown>> {
  const answer = await at.send(method, target, { headers: requestHeaders })
  const isError = answer.status >= 300 && answer.text.startsWith('<?xml')
  return {
    status: answer.status,
    headers: comparableHeaders(answer),
    ...(isError && method !== 'HEAD' ? { error: errorElements(answer.text) } : {}),
    ...(isError || method === 'HEAD'
      ? {}
      : { sha256: createHash('sha256').update(answer.body).digest('hex') }),
    ...(answer.text.startsWith('<?xml') && !isError ? { xml: answer.text } : {}),
  }
}

/** What was answered when it was recorded, in the same form. */
export function recordedAnswer({
  status,
  headers,
  error,
  sha256,
  xml,
  method,
}: RecordedRequest): Record<string, unknown> {
  return {
    status,
    headers,
    ...(error === undefined
      ? {}
      : {
          error: errorElements(
            `<Error>${Object.entries(error)
              .map(([name, value]) => `<${name}>${value}</${name}>`)
              .join('')}</Error>`,
          ),
        }),
    ...(sha256 === undefined || method === 'HEAD' ? {} : { sha256 }),
    ...(xml === undefined ? {} : { xml }),
  }
}

/** Object keys in order, so that two of equal content are equal as JSON. */
export function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}
