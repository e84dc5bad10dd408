import type { HashKind } from '../../io/io.ts'
import type { ChecksumAlgorithm } from '../backend.ts'
import { etagAttribute, hashKindOf, type Attribute } from './attributes.ts'
import type { DigestReader } from './collected.ts'
import type { Volume } from './volume.ts'

/** How an ETag is made of bytes: the digest of `kind`, in this encoding, behind `prefix`. */
export interface EtagForm {
  readonly prefix: string
  readonly kind: HashKind
  readonly encoding: 'hex' | 'base64'
}

const MD5: EtagForm = { prefix: '', kind: 'md5', encoding: 'hex' }

/** MD5 in hex; with `--data-integrity-etag` the checksum, behind its name: then MD5 is not computed at all. */
export function etagForm({ integrityEtags }: Volume, algorithm: ChecksumAlgorithm): EtagForm {
  if (!integrityEtags) return MD5
  return { prefix: `${algorithm}-`, kind: hashKindOf(algorithm), encoding: 'base64' }
}

/** Without the quotes. */
export function etagText({ prefix, kind, encoding }: EtagForm, digest: DigestReader): string {
  return prefix + digest(kind).toString(encoding)
}

/** The attribute, where the chain that writes it computes the digest. */
export function etagInChain({ prefix, kind, encoding }: EtagForm): Attribute {
  return etagAttribute({ hasher: 'job', kind, encoding }, prefix)
}
