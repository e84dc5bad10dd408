import { expect, test } from 'vitest'
import type { ListedVersion } from '../../src/backend/version-listing.ts'
import { renderVersions } from '../../src/s3/operations/list-object-versions.ts'
import { expectGolden, readGolden } from '../support/golden.ts'

/** Answers of ListObjectVersions, byte for byte: as they left VersityGW's socket, but for the one that only we can give. */

const version = (versionId: string): ListedVersion => ({
  key: 'k',
  lastModifiedMs: Date.UTC(2026, 10, 21, 11, 21, 33, 987),
  etag: '"9dd4e461268c8034f5c8564e155c67a6"',
  checksumAlgorithm: 'CRC64NVME',
  checksumType: 'FULL_OBJECT',
  size: 3,
  versionId,
  isLatest: false,
  isDeleteMarker: false,
  lastModifiedNsec: 704_938_510,
})
const marker: ListedVersion = {
  ...version('01M7YXE58M80JA1AJAXESNK38E'),
  isLatest: true,
  isDeleteMarker: true,
}
const versionsPage = {
  bucket: 'ver',
  prefix: '',
  delimiter: '',
  keyMarker: '',
  versionIdMarker: undefined,
  maxKeys: 1000,
  encodingType: undefined,
}
const whole = { commonPrefixes: [], isTruncated: false, next: undefined }

const CASES: Record<string, () => string> = {
  'list-object-versions': () =>
    renderVersions(
      { versions: [marker, version('01M7YXE589G8KH9FQRYN9RFYW3'), version('01M7YXE584PRCH71VMY6MA8VAM')], ...whole },
      { ...versionsPage, prefix: 'k', delimiter: '/' },
    ),
  'list-object-versions-page': () =>
    renderVersions(
      {
        versions: [{ ...version('01M7YXE58J65Y0TKGGNJ5WSPFR'), key: 'copy', isLatest: true }, marker],
        commonPrefixes: [],
        isTruncated: true,
        next: { key: 'k', versionId: marker.versionId },
      },
      { ...versionsPage, maxKeys: 2 },
    ),
  'list-object-versions-url': () =>
    renderVersions(
      {
        versions: [{ ...marker, key: 'a b/\u0001+' }, { ...version('null'), key: 'ü' }],
        commonPrefixes: ['x y/'],
        isTruncated: true,
        next: { key: 'x y/', versionId: undefined },
      },
      { ...versionsPage, encodingType: 'url', prefix: 'p q', keyMarker: 'é', versionIdMarker: marker.versionId },
    ),
}

test.each(Object.entries(CASES))('%s', (name, render) => {
  const file = `xml/${name}.xml`
  if (name.endsWith('-url')) expectGolden(file, render())
  else expect(render()).toBe(readGolden(file))
})
