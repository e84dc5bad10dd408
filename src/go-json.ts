import { compareUtf8 } from './utf8-order.ts'

/** JSON as Go's encoding/json writes it: VersityGW compares nothing byte for byte, but what both write should be one thing. */

/** A string, HTML's characters escaped. */
export function goString(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A map of strings: its keys in byte order. */
export function goMap(map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).sort(compareUtf8)
  return `{${keys.map((key) => `${goString(key)}:${goString(map[key] ?? '')}`).join(',')}}`
}

/** What a document says, where it is a JSON object; undefined where it is anything else. */
export function parseObject(value: Buffer | undefined): Record<string, unknown> | undefined {
  if (value === undefined || value.length === 0) return undefined
  try {
    const parsed: unknown = JSON.parse(value.toString())
    return typeof parsed === 'object' && parsed !== null
      ? (parsed as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

/**
 * A JSON object of strings, such as metadata and tags; empty where it is no such thing. Attributes can be written by anyone
 * with a shell: what does not parse is not there.
 */
export function parseMap(value: Buffer | undefined): Record<string, string> {
  const map = Object.create(null) as Record<string, string>
  const stored = parseObject(value)
  for (const key in stored) {
    const text = stored[key]
    if (typeof text === 'string') map[key] = text
  }
  return map
}
