import type { RemoteParent } from './recorder.ts'

/**
 * `X-Amzn-Trace-Id`, which AWS's load balancers and its SDKs in Lambda send:
 * https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
 */
export function parseXray(header: string | undefined): RemoteParent | undefined {
  if (header === undefined) return undefined
  const fields = new Map<string, string>()
  for (const part of header.split(';', 16)) {
    const equals = part.indexOf('=')
    fields.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim())
  }
  const [, seconds = '', rest = ''] =
    /^1-([0-9a-f]{8})-([0-9a-f]{24})$/.exec(fields.get('root') ?? '') ?? []
  const traceId = seconds + rest
  const spanId = fields.get('parent') ?? ''
  if (traceId === '' || !/^[0-9a-f]{16}$/.test(spanId)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  // `?` asks us to decide.
  const state = fields.get('sampled')
  const sampled = state === '1' ? true : state === '0' ? false : undefined
  return { traceId, spanId, sampled, traceState: undefined }
}

export function formatXray(traceId: string, spanId: string, sampled: boolean): string {
  const root = `1-${traceId.slice(0, 8)}-${traceId.slice(8)}`
  return `Root=${root};Parent=${spanId};Sampled=${sampled ? '1' : '0'}`
}
