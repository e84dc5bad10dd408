import type { FileIdentity, ModifiedTime } from '../../io/io.ts'
import { ATTRIBUTE, type Attribute } from './attributes.ts'

/** What a write has to keep to. */
export interface WriteTerms {
  /** The only file it may replace: where another one has its name by now, it is PreconditionFailed. */
  readonly onlyOver: FileIdentity | undefined
  /** It fails with `NotPlain`, and changes nothing, unless the bucket is plain. */
  readonly onlyIfPlain: boolean
  /** Hung on the object if it brings none of its own. */
  readonly retention: Attribute | undefined
  /** It becomes a version; what is there has been kept. */
  readonly version: VersionTerms | undefined
}

export interface VersionTerms {
  /** Undefined of a null version, which has a time instead. */
  readonly id: string | undefined
  readonly time: ModifiedTime | undefined
  /** Where the name is taken by now, what has it has not been kept. */
  readonly overNothing: boolean
}

export const NO_TERMS: WriteTerms = {
  onlyOver: undefined,
  onlyIfPlain: false,
  retention: undefined,
  version: undefined,
}

/** The attributes of a new object, with what its bucket gives it. */
export function onTerms(
  attributes: readonly Attribute[],
  { retention, version }: WriteTerms,
): readonly Attribute[] {
  if (retention === undefined && version === undefined) return attributes
  const given: Attribute[] = []
  if (retention !== undefined && !attributes.some(([name]) => name === retention[0]))
    given.push(retention)
  if (version?.id !== undefined) given.push([ATTRIBUTE.versionId, version.id])
  return given.length === 0 ? attributes : [...attributes, ...given]
}

/** Another version got there first: nothing has been written, and what is there now has to be kept. */
export class OvertakenError extends Error {}
