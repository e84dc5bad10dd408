import { fromHeader, toHeader } from './metadata.ts'
import { compareUtf8 } from '../utf8-order.ts'
import type { S3Settings } from './operation.ts'
import { decodeQueryText, encodeQueryText } from './query-text.ts'

/** Where the browser goes after its upload: a URL of the web, or a path on this host. */
const TARGET = /^(?:https?:\/\/[^/?#]|\/|\.)/i
// oxlint-disable-next-line no-control-regex -- a line end would begin a header of the client's choice
const CONTROL = /[\0-\x1f\x7f]/

/**
 * `success_action_redirect` with bucket, key and ETag in its query, all parameters in the order of their names as VersityGW
 * has them, or ours behind the others in S3's dialect. Undefined where there is none or it is no such URL: then it counts as not given, as AWS has it.
 */
export function redirectTo(
  field: string | undefined,
  { bucket, key, etag }: { readonly bucket: string; readonly key: string; readonly etag: string },
  dialect: S3Settings['dialect'],
): string | undefined {
  if (field === undefined || CONTROL.test(field) || !TARGET.test(field)) return undefined
  const [, base = '', query = '', fragment = ''] = SPLIT.exec(fromHeader(field)) ?? []
  if (/%(?![\da-f]{2})/i.test(base)) return undefined
  const parameters = new Map<string, string[]>()
  for (const pair of query.slice(1).split('&')) {
    const equals = pair.indexOf('=')
    const name = decodeQueryText(equals < 0 ? pair : pair.slice(0, equals))
    const value = decodeQueryText(equals < 0 ? '' : pair.slice(equals + 1))
    if (pair === '' || name === undefined || value === undefined) continue
    parameters.set(name, [...(parameters.get(name) ?? []), value])
  }
  for (const [name, value] of [
    ['bucket', bucket],
    ['key', key],
    ['etag', etag],
  ] as const) {
    parameters.delete(name)
    parameters.set(name, [value])
  }
  const names = [...parameters.keys()]
  if (dialect === 'versitygw') names.sort(compareUtf8)
  const pairs = names.flatMap((name) =>
    (parameters.get(name) ?? []).map((value) => `${encode(name)}=${encode(value)}`),
  )
  return toHeader(`${base.replaceAll(' ', '%20')}?${pairs.join('&')}${fragment}`)
}

const SPLIT = /^([^?#]*)(\?[^#]*)?(#.*)?$/s

function encode(text: string): string {
  return encodeQueryText(text).replaceAll('%20', '+')
}
