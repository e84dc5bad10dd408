import type { HashKind } from '../../io/io.ts'
import { encodeValue } from '../../io/text.ts'
import type { ChecksumAlgorithm } from '../backend.ts'
import { ATTRIBUTE, hashKindOf, type Attribute } from './attributes.ts'
import type { DigestReader } from './collected.ts'
import type { Volume } from './volume.ts'

/** How an ETag is made of bytes: the digest of `kind`, in this encoding, behind `prefix`. */
export interface EtagForm {
  readonly prefix: string
  readonly kind: HashKind
  readonly encoding: 'hex' | 'base64'
  /** The attribute, where the chain that writes it computes the digest. */
  readonly inChain: Attribute
}

const MD5 = createForm('', 'md5', 'hex')

const ofChecksums = new Map<ChecksumAlgorithm, EtagForm>()

/** MD5 in hex; with `--data-integrity-etag` the checksum, behind its name: then MD5 is not computed at all. */
export function etagForm({ integrityEtags }: Volume, algorithm: ChecksumAlgorithm): EtagForm {
  if (!integrityEtags) return MD5
  let form = ofChecksums.get(algorithm)
  if (form === undefined) {
    form = createForm(`${algorithm}-`, hashKindOf(algorithm), 'base64')
    ofChecksums.set(algorithm, form)
  }
  return form
}

/** Without the quotes. */
export function etagText({ prefix, kind, encoding }: EtagForm, digest: DigestReader): string {
  return prefix + digest(kind).toString(encoding)
}

function createForm(prefix: string, kind: HashKind, encoding: EtagForm['encoding']): EtagForm {
  const value = encodeValue([`"${prefix}`, { hasher: 'job', kind, encoding }, '"'])
  return { prefix, kind, encoding, inChain: [ATTRIBUTE.etag, value] }
}
