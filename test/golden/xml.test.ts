import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { ListedObject, ObjectHead } from '../../src/backend/backend.ts'
import { parseXml } from '../../src/http/xml-reader.ts'
import { S3Error } from '../../src/s3/errors.ts'
import { locationOf, renderCompleted } from '../../src/s3/operations/complete-multipart-upload.ts'
import { renderCopyResult } from '../../src/s3/operations/copy-object.ts'
import { renderUpload } from '../../src/s3/operations/create-multipart-upload.ts'
import {
  parseDelete,
  renderDeleteResult,
  type DeleteEntry,
  type Deletion,
} from '../../src/s3/operations/delete-objects.ts'
import { renderPolicyStatus } from '../../src/s3/operations/get-bucket-policy-status.ts'
import { renderVersioning } from '../../src/s3/operations/get-bucket-versioning.ts'
import { renderLocation } from '../../src/s3/operations/get-bucket-location.ts'
import { parseAttributes, renderAttributes } from '../../src/s3/operations/get-object-attributes.ts'
import { renderBuckets } from '../../src/s3/operations/list-buckets.ts'
import { renderUploads } from '../../src/s3/operations/list-multipart-uploads.ts'
import { renderListingV2 } from '../../src/s3/operations/list-objects-v2.ts'
import { renderListing } from '../../src/s3/operations/list-objects.ts'
import { renderParts } from '../../src/s3/operations/list-parts.ts'
import { renderCopiedPart } from '../../src/s3/operations/upload-part-copy.ts'
import type { S3Request } from '../../src/s3/request.ts'

/**
 * XML answers, byte for byte. Those files whose answer VersityGW gives too are its answers as they left its socket;
 * `UPDATE_GOLDEN=1` rewrites only the others, which are ours alone.
 */
const OURS = new Set([
  'delete-objects-quiet',
  'get-object-attributes-parts',
  'list-multipart-uploads-url',
  'list-objects-url',
  'list-objects-v2-url',
  'list-objects-v2-token',
])

const at = (second: number) => Date.UTC(2026, 10, 21, 11, 21, second, 987)
const x = '"9dd4e461268c8034f5c8564e155c67a6"'
const listed = (key: string): ListedObject => ({
  key,
  size: 1,
  lastModifiedMs: at(33),
  etag: x,
  checksumAlgorithm: 'CRC64NVME',
  checksumType: 'FULL_OBJECT',
})
const directory: ListedObject = {
  key: 'dirobj/',
  size: 0,
  lastModifiedMs: at(33),
  etag: '"d41d8cd98f00b204e9800998ecf8427e"',
  checksumAlgorithm: '',
  checksumType: '',
}
const foreign: ListedObject = {
  key: 'f',
  size: 0,
  lastModifiedMs: at(33),
  etag: '',
  checksumAlgorithm: '',
  checksumType: '',
}
const whole = { commonPrefixes: [], isTruncated: false, next: undefined }
const v1 = {
  bucket: 'lst',
  prefix: '',
  delimiter: '',
  marker: '',
  maxKeys: 1000,
  encodingType: undefined,
  owner: 'root',
  dialect: 'versitygw',
} as const
const v2 = {
  bucket: 'lst',
  prefix: '',
  delimiter: '',
  startAfter: '',
  after: '',
  maxKeys: 1000,
  encodingType: undefined,
  owner: undefined,
  dialect: 'versitygw',
} as const
const ODD_KEYS = [
  'amp&<>"\'',
  'bs\\x',
  'cr\rx',
  'ctl\u0001x',
  'del\u007fx',
  'fffe\ufffex',
  'ff\fx',
  'nl\nx',
  'pct%25',
  'pl+us',
  'sp ace',
  'tab\tx',
  'uni-é日😀',
]

const bucket = (name: string) => ({ name, creationDate: new Date(at(30)) })
const head: ObjectHead = {
  size: 14,
  lastModifiedMs: at(30),
  etag: '"910c8bc73110b0cd1bc5d2bcae782511"',
  headers: {},
  userMetadata: {},
  tagCount: 0,
  checksum: { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: 'uDXvovnM4wU=' },
  partEnds: undefined,
  versionId: undefined,
  legalHold: undefined,
  retention: undefined,
}
const everything = parseAttributes('ETag,Checksum,ObjectParts,ObjectSize,StorageClass')
const allParts = { maxParts: 1000, partNumberMarker: 0 }

const mpu = { bucket: 'bkt', key: 'mpu', uploadId: 'cd3c0cea-b4f6-409f-9d72-70d0a2e7f5be' }
const upload = { ...mpu, initiatedMs: at(33), checksum: undefined }
const uploads = {
  uploads: [upload],
  commonPrefixes: [],
  isTruncated: false,
  nextKeyMarker: '',
  nextUploadIdMarker: '',
}
const uploadPage = {
  prefix: '',
  delimiter: '',
  keyMarker: '',
  uploadIdMarker: '',
  maxUploads: 1000,
}
const part = (etag: string, size: number) => ({
  partNumber: 1,
  etag,
  size,
  lastModifiedMs: at(33),
  checksum: undefined,
})
const place = (key: string, host = '127.0.0.1:38081', hostStyle = false) => ({
  bucket: 'bkt',
  key,
  location: locationOf({ scheme: 'http', host, hostStyle } as S3Request, 'bkt', key),
})
const full = '"e9dc924f238fa6cc29465942875fe8f0"'
const copied = { etag: full, sourceVersionId: undefined, versionId: undefined }

/** Deleted as asked, without a word about versions. */
const gone = (entries: readonly DeleteEntry[]): Deletion[] =>
  entries.map((entry) => ({ entry, deleted: { versionId: undefined, isDeleteMarker: false } }))

const deletion = (...keys: string[]) =>
  parseDelete(parseXml(Buffer.from(`<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`), 'Delete'))
const longKey = 'k'.repeat(256)

const CASES: Record<string, () => string> = {
  'list-buckets': () =>
    renderBuckets({ owner: 'root', region: 'us-east-1', buckets: [bucket('bkt')], next: 'bkt', prefix: '' }),
  'list-buckets-prefix': () =>
    renderBuckets({ owner: 'root', region: 'us-east-1', buckets: [bucket('pub')], next: undefined, prefix: 'pu' }),
  'list-buckets-empty': () =>
    renderBuckets({ owner: 'root', region: 'us-east-1', buckets: [], next: undefined, prefix: '' }),
  'get-bucket-location': () => renderLocation('us-east-1'),
  'get-bucket-policy-status': () => renderPolicyStatus(true),

  'list-objects-page': () =>
    renderListing(
      { objects: [listed('a'), listed('b-x')], commonPrefixes: ['b/'], isTruncated: true, next: 'b/' },
      { ...v1, delimiter: '/', maxKeys: 3 },
    ),
  'list-objects-empty': () => renderListing({ objects: [], ...whole }, { ...v1, bucket: 'pub' }),
  'list-objects-no-owner': () =>
    renderListing({ objects: [foreign], ...whole }, { ...v1, bucket: 'handmade', owner: '' }),
  'list-objects-directory': () => renderListing({ objects: [directory], ...whole }, { ...v1, prefix: 'dirobj/' }),
  'list-objects-odd-keys': () =>
    renderListing({ objects: ODD_KEYS.map(listed), ...whole }, { ...v1, bucket: 'oddk' }),
  'list-objects-url': () =>
    renderListing(
      { objects: ODD_KEYS.map(listed), commonPrefixes: ['sub dir/ü/'], isTruncated: true, next: 'sub dir/ü/' },
      { ...v1, encodingType: 'url', prefix: 'p q/', marker: 'a+b', delimiter: '/' },
    ),

  'list-objects-v2-page': () =>
    renderListingV2(
      { objects: [], commonPrefixes: ['c/', 'dirobj/'], isTruncated: true, next: 'dirobj/' },
      { ...v2, delimiter: '/', maxKeys: 2, after: 'b/1' },
    ),
  'list-objects-v2-owner': () =>
    renderListingV2(
      { objects: [listed('a'), listed('b-x')], commonPrefixes: [], isTruncated: true, next: 'b-x' },
      { ...v2, maxKeys: 2, owner: 'root' },
    ),
  'list-objects-v2-start-after': () =>
    renderListingV2({ objects: [], ...whole }, { ...v2, startAfter: 'zz', after: 'zz' }),
  'list-objects-v2-url': () =>
    renderListingV2({ objects: ODD_KEYS.map(listed), ...whole }, { ...v2, encodingType: 'url', startAfter: 'a b', after: 'a b' }),
  'list-objects-v2-token': () =>
    renderListingV2({ objects: [], commonPrefixes: [], isTruncated: true, next: 'a\u0001b' }, v2),

  'create-multipart-upload': () => renderUpload(mpu),
  'complete-multipart-upload': () =>
    renderCompleted(
      {
        etag: '"a5d25deffc0c1090b725220ad30a7d46-1"',
        checksum: { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: '/uwNWkFeE8g=' },
        versionId: undefined,
      },
      place('sl/a sh'),
    ),
  'complete-multipart-upload-composite': () =>
    renderCompleted(
      {
        etag: '"a5d25deffc0c1090b725220ad30a7d46-1"',
        checksum: { algorithm: 'CRC32', type: 'COMPOSITE', value: 'ZAbk7A==-1' },
        versionId: undefined,
      },
      place('mpu-c'),
    ),
  'complete-multipart-upload-again': () =>
    renderCompleted(
      { etag: '"8c6f96fe400c627d9394af6161f5921d-2"', checksum: undefined, versionId: undefined },
      place('mpu'),
    ),
  'complete-multipart-upload-host-style': () =>
    renderCompleted(
      {
        etag: '"a5d25deffc0c1090b725220ad30a7d46-1"',
        checksum: { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: '/uwNWkFeE8g=' },
        versionId: undefined,
      },
      place('mp', 'bkt.s3.example:41479', true),
    ),
  'list-parts': () =>
    renderParts(
      {
        parts: [part('"79b281060d337b9b2b84ccf390adcf74"', 5_242_880)],
        isTruncated: true,
        nextPartNumberMarker: 1,
        checksum: undefined,
      },
      mpu,
      { partNumberMarker: 0, maxParts: 1 },
    ),
  'list-parts-crc32': () =>
    renderParts(
      {
        parts: [
          {
            ...part('"c73c16de8912c313c06ac38b9961e806"', 1000),
            checksum: { algorithm: 'CRC32', value: 'tgSiTw==' },
          },
        ],
        isTruncated: false,
        nextPartNumberMarker: 1,
        checksum: { algorithm: 'CRC32', type: 'COMPOSITE' },
      },
      { bucket: 'bkt', key: 'mpu-c', uploadId: '2df04901-4108-49e0-8508-2fd2466be72a' },
      allPartsPage(),
    ),
  'list-multipart-uploads': () =>
    renderUploads({ ...uploads, commonPrefixes: ['mpu-'] }, 'bkt', { ...uploadPage, prefix: 'm', delimiter: '-' }, undefined),
  'list-multipart-uploads-page': () =>
    renderUploads(
      { ...uploads, isTruncated: true, nextKeyMarker: mpu.key, nextUploadIdMarker: mpu.uploadId },
      'bkt',
      { ...uploadPage, maxUploads: 1 },
      undefined,
    ),
  'list-multipart-uploads-empty': () => renderUploads({ ...uploads, uploads: [] }, 'bkt', uploadPage, undefined),
  'list-multipart-uploads-url': () =>
    renderUploads(
      { ...uploads, uploads: [{ ...upload, key: 'a b/\u0001+' }], commonPrefixes: ['x y/'] },
      'bkt',
      { ...uploadPage, prefix: 'p q', keyMarker: 'é' },
      'url',
    ),

  'copy-object': () =>
    renderCopyResult({
      ...copied,
      lastModifiedMs: at(32),
      checksum: { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: 'iseTUxjJ16Q=' },
    }),
  'copy-object-sha256': () =>
    renderCopyResult({
      ...copied,
      lastModifiedMs: at(33),
      checksum: {
        algorithm: 'SHA256',
        type: 'FULL_OBJECT',
        value: 'oYuGmy6BwMUpVSo8T6XJLtCLmKThRq7XeNcdJ1F/g6w=',
      },
    }),
  'upload-part-copy': () =>
    renderCopiedPart({
      etag: '"5d41402abc4b2a76b9719d911017c592"',
      lastModifiedMs: at(33),
      checksum: undefined,
      sourceVersionId: undefined,
    }),

  'get-object-attributes': () => renderAttributes(head, everything, allParts),
  'get-object-attributes-etag': () => renderAttributes(head, parseAttributes('ETag'), allParts),
  'get-object-attributes-foreign': () =>
    renderAttributes({ ...head, size: 7, etag: '', checksum: undefined }, everything, allParts),
  'get-object-attributes-xxhash': () =>
    renderAttributes(
      {
        ...head,
        size: 17,
        etag: '"fcc2e047ab214e0fbf3a0294c38d7bc5"',
        checksum: { algorithm: 'XXHASH3', type: 'FULL_OBJECT', value: 'Y3se//Qy4tI=' },
      },
      everything,
      allParts,
    ),
  'get-object-attributes-parts': () =>
    renderAttributes(
      { ...head, size: 5_243_885, partEnds: [5_242_880, 5_243_880, 5_243_885] },
      parseAttributes('ObjectParts, ObjectSize'),
      { maxParts: 1, partNumberMarker: 1 },
    ),

  'get-bucket-versioning': () => renderVersioning('Enabled'),
  'get-bucket-versioning-unset': () => renderVersioning(undefined),

  'delete-objects': () => {
    const { entries } = deletion('many/s', 'hello.txt/', 'dir', '../x', 'dir/', longKey)
    const [, , , , notEmpty, tooLong] = entries
    const failures = [
      { entry: notEmpty ?? fail(), error: new S3Error('ErrDirectoryNotEmpty') },
      { entry: tooLong ?? fail(), error: new S3Error('KeyTooLongError') },
    ]
    return renderDeleteResult(gone(entries.slice(0, 4)), failures)
  },
  'delete-objects-version': () =>
    renderDeleteResult(gone([{ key: 'many/r', versionId: 'null', precondition: {} }]), []),
  'delete-objects-escapes': () => renderDeleteResult(gone(deletion('a&amp;&lt;&gt;&quot;&apos;b&#13;c').entries), []),
  'delete-objects-markers': () =>
    renderDeleteResult(
      ['k', 'copy'].map((key, i) => ({
        entry: { key, versionId: undefined, precondition: {} },
        deleted: {
          versionId: ['01M7YXE59DDZB7PZVGD8BZ2Z2A', '01M7YXE59FN6ZWD04KZ9KXAN0K'][i],
          isDeleteMarker: true,
        },
      })),
      [],
    ),
  'delete-objects-empty': () => renderDeleteResult([], []),
  'delete-objects-quiet': () => {
    const [entry = fail()] = deletion('gone/').entries
    return renderDeleteResult([], [{ entry, error: new S3Error('ErrDirectoryNotEmpty') }])
  },
}

test.each(Object.keys(CASES))('%s', (name) => {
  const rendered = CASES[name]?.()
  const file = new URL(`xml/${name}.xml`, import.meta.url)
  if (process.env['UPDATE_GOLDEN'] !== undefined && OURS.has(name)) writeFileSync(file, rendered ?? '')
  expect(rendered).toBe(readFileSync(file, 'utf8'))
})

function allPartsPage() {
  return { partNumberMarker: 0, maxParts: 1000 }
}

function fail(): never {
  throw new Error('the request has fewer entries than this test needs')
}
