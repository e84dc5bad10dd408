import { parseMap } from '../../go-json.ts'
import type { FileStat } from '../../io/io.ts'
import { readRetention } from '../retention.ts'
import type { ContentHeaders, ObjectHead, UserMetadata } from '../backend.ts'
import {
  ATTRIBUTE,
  CONTENT_ATTRIBUTES,
  LEGACY_METADATA,
  decodeChecksums,
  decodeMultipart,
} from './attributes.ts'

export type StoredAttributes = ReadonlyMap<string, Buffer>

/**
 * An object as its file and its attributes tell it. Fields that most requests never look at are parsed when asked for:
 * a GET of a small object has some twenty microseconds in all.
 */
export class PosixObjectHead implements ObjectHead {
  readonly size: number
  readonly lastModifiedMs: number
  readonly etag: string
  readonly headers: ContentHeaders
  readonly #attributes: StoredAttributes
  readonly #withoutId: string | undefined

  /** `withoutId` is what a version without an id is called; undefined where it is not told. */
  // oxlint-disable-next-line max-params -- an object more for each request
  constructor(
    stat: FileStat,
    attributes: StoredAttributes,
    isDirectory: boolean,
    defaultEtag: string,
    withoutId?: string,
  ) {
    this.size = isDirectory ? 0 : stat.size
    this.lastModifiedMs = stat.mtimeMs
    this.etag = attributes.get(ATTRIBUTE.etag)?.toString() ?? defaultEtag
    this.headers = contentHeaders(attributes)
    this.#attributes = attributes
    this.#withoutId = withoutId
  }

  get userMetadata(): UserMetadata {
    return storedMetadata(this.#attributes)
  }

  get tagCount(): number {
    const tags = this.#attributes.get(ATTRIBUTE.tags)
    return tags === undefined ? 0 : Object.keys(parseMap(tags)).length
  }

  get checksum(): ObjectHead['checksum'] {
    return storedChecksum(this.#attributes)
  }

  get partEnds(): readonly number[] | undefined {
    const parts = decodeMultipart(this.#attributes.get(ATTRIBUTE.multipart))?.parts
    return parts === undefined || parts.length === 0 ? undefined : parts
  }

  get versionId(): string | undefined {
    return this.#attributes.get(ATTRIBUTE.versionId)?.toString() ?? this.#withoutId
  }

  get legalHold(): boolean | undefined {
    const value = this.#attributes.get(ATTRIBUTE.legalHold)
    return value === undefined ? undefined : value[0] === 1
  }

  get retention(): ObjectHead['retention'] {
    return readRetention(this.#attributes.get(ATTRIBUTE.retention))
  }
}

function contentHeaders(attributes: StoredAttributes): ContentHeaders {
  const headers: ContentHeaders = {}
  for (const [name, header] of CONTENT_ATTRIBUTES) {
    const value = attributes.get(name)
    if (value !== undefined) headers[header] = value.toString()
  }
  return headers
}

/** The JSON map; where there is none, VersityGW's older form of one attribute a key. */
function storedMetadata(attributes: StoredAttributes): UserMetadata {
  const stored = attributes.get(ATTRIBUTE.metadata)
  if (stored !== undefined) return parseMap(stored)
  const legacy: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [name, value] of attributes) {
    if (name.startsWith(LEGACY_METADATA))
      legacy[name.slice(LEGACY_METADATA.length)] = value.toString()
  }
  return legacy
}

function storedChecksum(attributes: StoredAttributes): ObjectHead['checksum'] {
  const stored = decodeChecksums(attributes.get(ATTRIBUTE.checksums))
  if (stored?.value === undefined) return undefined
  const { algorithm, value } = stored
  return { algorithm, type: stored.type === 'COMPOSITE' ? 'COMPOSITE' : 'FULL_OBJECT', value }
}
