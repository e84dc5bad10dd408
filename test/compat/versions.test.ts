import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  extractCompatData,
  readCompatData,
  recordedAnswer,
  replayRecorded,
  sorted,
  type RecordedRequest,
} from '../support/compat.ts'
import { useGateway } from '../support/fixture.ts'
import { scratch } from '../support/gateway.ts'

const data = readCompatData()
const dir = mkdtempSync(join(scratch(), 'vgw-compat-'))
extractCompatData(dir)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const { access = '', secret = '' } = data.credentials['root'] ?? {}
const at = useGateway(() => ({
  dir: join(dir, 'locked'),
  env: { ROOT_ACCESS_KEY_ID: access, ROOT_SECRET_ACCESS_KEY: secret },
  posixFlags: ['--versioning-dir', join(dir, 'versions')],
}))

/** Of objects, with and without a version's id, and what buckets say of their versioning. */
const recorded = data.requests.filter(
  ({ root, as, method, target }) =>
    root === 'locked' &&
    as === 'root' &&
    (method === 'GET' || method === 'HEAD') &&
    (/^\/[^/]+\/[^?]/.test(target) || target.endsWith('?versioning')) &&
    !/[?&](tagging|retention|legal-hold|acl)/.test(target),
)

/** Where we answer otherwise on purpose. */
const DIFFERENCES: readonly {
  readonly clause: string
  readonly matches: (recorded: RecordedRequest) => boolean
  readonly status: number
}[] = [
  {
    clause:
      'contract 3.6: the null version that is current has a HEAD and attributes, as it has a GET',
    matches: ({ method, target, status }) =>
      /versionId=null/.test(target) &&
      status === 404 &&
      !target.startsWith('/suspended/marked') &&
      (method === 'HEAD' || target.includes('&attributes')),
    status: 200,
  },
  {
    clause: 'contract 3.6: HEAD of a delete marker by its id is 405, also where its id is null',
    matches: ({ method, target }) =>
      method === 'HEAD' && target === '/suspended/marked?versionId=null',
    status: 405,
  },
  {
    clause: 'contract 3.6: old versions of a suspended bucket have a HEAD and attributes, too',
    matches: ({ target, status }) =>
      target.startsWith('/suspended/k?versionId=01') && status === 404,
    status: 200,
  },
]

/** Where only the document differs. */
const OTHERWISE = [
  // Attributes of a delete marker that is current and null: as of any other, by its id.
  '/suspended/marked?versionId=null&attributes',
  // Contract 9.2, 31: GetObjectAttributes tells the parts.
  '/versioned/mpu?versionId=01M7YXRDQH4TAF1ZYXYTWKFJVP&attributes',
]

const differing = recorded.filter((request) => DIFFERENCES.some(({ matches }) => matches(request)))
const same = recorded.filter(
  (request) => !differing.includes(request) && !OTHERWISE.includes(request.target),
)

describe(`Versions that VersityGW ${data.versitygw} wrote`, () => {
  test('the recording covers what it should', () => {
    expect(same.length).toBeGreaterThan(100)
    expect(differing.length).toBeLessThan(20)
  })

  test(`${same.length} answers are the same, byte for byte`, async () => {
    for (const request of same) {
      const got = {
        of: `${request.method} ${request.target}`,
        ...(await replayRecorded(at, request)),
      }
      const wanted = { of: got.of, ...recordedAnswer(request) }
      expect.soft(sorted(got)).toEqual(sorted(wanted))
    }
  })

  test.each(DIFFERENCES)('$clause', async ({ matches, status }) => {
    const requests = recorded.filter(matches)
    expect(requests.length).toBeGreaterThan(0)
    for (const request of requests)
      expect([request.target, (await replayRecorded(at, request))['status']]).toEqual([
        request.target,
        status,
      ])
  })
})
